#include "pairing/pairing.h"

#include <utility>

#include "pairing/protocol.h"

namespace duet::pairing {

Pairing::Pairing(Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Pairing::~Pairing() = default;
Pairing::Pairing(Pairing&&) noexcept = default;
Pairing& Pairing::operator=(Pairing&&) noexcept = default;

void Pairing::on_step(double now) {
  impl_->on_step(now);
}
void Pairing::on_message(double now, int peer, const Message& message) {
  impl_->on_message(now, peer, message);
}
void Pairing::on_peer_up(double now, int peer) {
  impl_->on_peer_up(now, peer);
}
void Pairing::on_peer_gone(double now, int peer) {
  impl_->on_peer_gone(now, peer);
}
void Pairing::on_meeting_began(double now) {
  impl_->on_meeting_began(now);
}
void Pairing::on_meeting_ended(double now, bool complete) {
  impl_->on_meeting_ended(now, complete);
}
void Pairing::set_neighbours(double now, const std::vector<Neighbour>& neighbours) {
  impl_->set_neighbours(now, neighbours);
}
void Pairing::finish(double now) {
  impl_->finish(now);
}
void Pairing::stop(double now) {
  impl_->stop(now);
}
void Pairing::on_timer(double now) {
  impl_->on_timer(now);
}
std::vector<Action> Pairing::take_actions() {
  return impl_->take_actions();
}
double Pairing::next_timer() const {
  return impl_->next_timer();
}
bool Pairing::in_meeting() const {
  return impl_->in_meeting();
}
int Pairing::partner() const {
  return impl_->partner();
}
double Pairing::budget() const {
  return impl_->budget().value();
}
std::uint64_t Pairing::shed() const {
  return impl_->budget().shed();
}
double Pairing::waited(double now) const {
  return impl_->waited(now);
}
double Pairing::mean_meeting_duration() const {
  return impl_->pace().duration.value();
}
double Pairing::hold_off() const {
  return impl_->hold_off();
}

}  // namespace duet::pairing
