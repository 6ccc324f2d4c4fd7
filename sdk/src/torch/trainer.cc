#include "duet/torch/trainer.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "duet/error.h"
#include "torch/flat_tensors.h"
#include "torch/statistics.h"

namespace duet::torch {

class Trainer::Impl {
 public:
  Impl(std::shared_ptr<::torch::nn::Module> model, ::torch::optim::Optimizer& optimizer, Options options,
       TrainerOptions trainer_options)
      : model_(std::move(model)),
        optimizer_(optimizer),
        trainer_options_(trainer_options),
        parameters_(*model_, optimizer),
        statistics_(*model_),
        cuda_devices_(devices()),
        streams_(current_streams()),
        worker_(std::move(options), buffers()) {
    statistics_.push();
  }

  // Whatever the optimizer returns, behind the gate.
  ::torch::Tensor step(const ::torch::optim::Optimizer::LossClosure& closure, std::uint64_t samples) {
    parameters_.check();
    follow_streams();
    ::torch::Tensor loss;
    const auto update = [&] {
      const bool mixing = trainer_options_.statistics_every > 0;
      if (mixing) statistics_.pull();
      loss = optimizer_.step(closure);
      // A closure runs forward passes, which must not be undone by the values from before.
      if (mixing && closure) statistics_.pull();
      if (mixing) statistics_.push();
    };
    worker_.step(update, samples);
    return loss;
  }

  void edit(const std::function<void()>& change) {
    follow_streams();
    worker_.edit([&] {
      change();
      parameters_.reattach();
    });
  }

  FinishResult finish() {
    parameters_.check();
    follow_streams();
    worker_.edit([&] { statistics_.pull(); });
    FinishResult result = worker_.finish();
    statistics_.push();
    return result;
  }

  Worker& worker() { return worker_; }

 private:
  std::vector<Buffer> buffers() {
    if (trainer_options_.statistics_every < 0) {
      throw ConfigurationError("TrainerOptions::statistics_every is " +
                               std::to_string(trainer_options_.statistics_every) +
                               ": it must be 0 (at the end only) or k (in every k-th meeting)");
    }
    std::vector<Buffer> buffers = parameters_.buffers();
    if (!statistics_.empty()) buffers.push_back(statistics_.buffer(trainer_options_.statistics_every));
    for (Buffer& buffer : buffers) {
      if (buffer.device == DeviceKind::kCuda) buffer.stream = streams_.at(buffer.device_index);
    }
    return buffers;
  }

  std::vector<int> devices() const {
    std::vector<int> all = parameters_.cuda_devices();
    if (!statistics_.empty() && statistics_.flat().device().is_cuda()) {
      const int index = statistics_.flat().device().index();
      if (std::find(all.begin(), all.end(), index) == all.end()) all.push_back(index);
    }
    return all;
  }

  // The streams that LibTorch enqueues on now, by device.
  std::map<int, void*> current_streams() const {
    std::map<int, void*> streams;
    for (const int index : cuda_devices_) {
      streams[index] = nullptr;
      if (trainer_options_.current_stream) {
        streams[index] = trainer_options_.current_stream(index);
        continue;
      }
      const c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
      const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
      if (guard.getStream(device) != guard.getDefaultStream(device)) {
        throw ConfigurationError(
            "LibTorch works on a CUDA stream of its own on cuda:" + std::to_string(index) +
            ", which this adapter, built without CUDA, cannot look at: set TrainerOptions::current_stream "
            "(docs/cuda.md has the line)");
      }
    }
    return streams;
  }

  void follow_streams() {
    if (cuda_devices_.empty()) return;
    auto now = current_streams();
    for (const auto& [index, stream] : now) {
      if (stream != streams_.at(index)) worker_.set_stream(index, stream);
    }
    streams_ = std::move(now);
  }

  std::shared_ptr<::torch::nn::Module> model_;
  ::torch::optim::Optimizer& optimizer_;
  TrainerOptions trainer_options_;
  FlatParameters parameters_;
  Statistics statistics_;
  std::vector<int> cuda_devices_;
  std::map<int, void*> streams_;
  Worker worker_;  // last: its communication thread reads the others' memory
};

Trainer::Trainer(Tag, std::shared_ptr<::torch::nn::Module> model, ::torch::optim::Optimizer& optimizer,
                 Options options, TrainerOptions trainer_options)
    : impl_(std::make_unique<Impl>(std::move(model), optimizer, std::move(options), trainer_options)) {}

Trainer::~Trainer() = default;

void Trainer::step(std::uint64_t samples) {
  impl_->step(nullptr, samples);
}

::torch::Tensor Trainer::step(::torch::optim::Optimizer::LossClosure closure, std::uint64_t samples) {
  return impl_->step(closure, samples);
}

void Trainer::edit(const std::function<void()>& change) {
  impl_->edit(change);
}
bool Trainer::done() const {
  return impl_->worker().done();
}
void Trainer::report_loss(double loss) {
  impl_->worker().report_loss(loss);
}
FinishResult Trainer::finish() {
  return impl_->finish();
}
RunStatus Trainer::status() const {
  return impl_->worker().status();
}
WorkerStatistics Trainer::statistics() const {
  return impl_->worker().statistics();
}
Worker& Trainer::worker() {
  return impl_->worker();
}

}  // namespace duet::torch
