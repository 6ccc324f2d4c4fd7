#include "dashboard/data/selection.h"

namespace duet::dashboard {

Selection::Selection(QObject* parent) : QObject(parent) {}

void Selection::set_workers(int count) {
  if (count == workers_) return;
  const bool was_many = many();
  workers_ = count;
  // Crossing the limit changes the default, unless somebody has chosen.
  if (many() != was_many && !chosen_ && exceptions_.empty() && !soloed_) all_ = !many();
  Q_EMIT changed();
}

bool Selection::shown(int rank) const {
  return all_ != exceptions_.contains(rank);
}

int Selection::shown_count() const {
  int count = 0;
  for (int rank = 0; rank < workers_; ++rank)
    count += shown(rank) ? 1 : 0;
  return count;
}

void Selection::toggle(int rank) {
  soloed_.reset();
  if (!exceptions_.erase(rank)) exceptions_.insert(rank);
  Q_EMIT changed();
}

void Selection::solo(int rank) {
  if (soloed_ == rank) return reset();
  soloed_ = rank;
  all_ = false;
  exceptions_ = {rank};
  Q_EMIT changed();
}

void Selection::show_all() {
  soloed_.reset();
  exceptions_.clear();
  all_ = chosen_ = true;
  Q_EMIT changed();
}

void Selection::show_none() {
  show_all();
  all_ = false;
  Q_EMIT changed();
}

void Selection::reset() {
  soloed_.reset();
  exceptions_.clear();
  chosen_ = false;
  all_ = !many();
  Q_EMIT changed();
}

void Selection::focus(std::optional<int> rank) {
  if (rank == focused_) return;
  focused_ = rank;
  Q_EMIT focus_changed();
}

}  // namespace duet::dashboard
