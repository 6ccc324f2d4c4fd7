#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

#include "duet/options.h"
#include "duet/status.h"
#include "duet/worker.h"

namespace duet::torch {

/// What the adapter can be told beyond duet::Options.
struct TrainerOptions {
  /// Average the model's floating-point buffers (batch-norm statistics) in every k-th meeting, on average.
  /// Default 0: only at the end, where each worker evaluates its own model with its own statistics until
  /// then. Costs one copy of the buffers per step.
  int statistics_every = 0;
  /// CUDA: the stream that LibTorch enqueues on now, on device `index`; asked in every step(), edit() and
  /// finish(). Needed only by who works on other streams than the default ones; docs/cuda.md has the line.
  std::function<void*(int index)> current_stream = {};
};

namespace internal {

template <class T>
inline constexpr bool is_shared_pointer = false;
template <class T>
inline constexpr bool is_shared_pointer<std::shared_ptr<T>> = true;

// A module by reference is not owned; a holder (TORCH_MODULE) or a shared_ptr shares ownership.
template <class Model>
std::shared_ptr<::torch::nn::Module> module_of(Model& model) {
  using Plain = std::remove_const_t<Model>;
  if constexpr (std::is_base_of_v<::torch::nn::Module, Plain>) {
    return std::shared_ptr<::torch::nn::Module>(std::shared_ptr<void>(), &model);
  } else if constexpr (is_shared_pointer<Plain>) {
    return model;
  } else {
    return model.ptr();
  }
}

}  // namespace internal

/// A LibTorch model and its optimizer as a member of a decentralised run. LibTorch 1.13 to 2.x.
///
/// **Shapes.** The constructor moves all parameters into flat buffers, one for each device and type that
/// there is (float32 or bf16; CPU or CUDA), and turns them into views of them (Tensor::set_data): every
/// Tensor handle, the optimizer's state, gradients, tied weights (once in their buffer) and memory formats
/// (channels_last) stay what they were. Parameters with requires_grad = false take part, too. They stay views
/// after the Trainer is gone. Values are rank 0's from then on; what the optimizer remembers is each worker's
/// own.
///
/// **Buffers that are not parameters.** Floating-point ones (batch-norm's running mean and variance) start as
/// rank 0's and are replaced by their mean over the members, each weighted equally, in finish(); see also
/// TrainerOptions::statistics_every. Integer ones (num_batches_tracked) and those that hold an infinity or a
/// NaN at the start (attention masks) are left alone: they are each worker's own.
///
/// **Threads.** Everything is for the trainer's thread but done(), report_loss(), status() and statistics().
/// Forward and backward need no care: nobody else writes parameters outside of step(), edit() and finish().
///
/// **CUDA.** What step() does to the parameters is enqueued, on the current stream of each device
/// (docs/cuda.md).
///
/// **Errors.** ConfigurationError: a parameter that is not a dense float32 or bf16 tensor on the CPU or a
/// CUDA device, a CUDA stream that cannot be known (TrainerOptions::current_stream), parameters that overlap
/// in part, an optimizer with a tensor that is none of the model's, a model without parameters; and
/// everything that duet::Worker throws. LibTorch's own errors pass through.
class Trainer {
 public:
  /// Joins the run; see duet::Worker. `model`: a torch::nn::Module (not owned: it must outlive the Trainer),
  /// a shared_ptr to one, or a module holder. `optimizer` must outlive the Trainer.
  template <class Model>
  Trainer(Model& model, ::torch::optim::Optimizer& optimizer, Options options,
          TrainerOptions trainer_options = {})
      : Trainer(Tag(), internal::module_of(model), optimizer, std::move(options), trainer_options) {}
  /// Leaves without averaging, unless finish() was called.
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Takes delivery of what meetings brought, then runs optimizer.step(). `samples`: how many this step is
  /// worth, for done(). Throws ConfigurationError when a parameter has left the flat buffer (model.to(…),
  /// set_data, torch::load outside of edit()).
  void step(std::uint64_t samples = 1);
  /// The same for optimizers that evaluate the loss themselves (LBFGS). Returns what optimizer.step()
  /// returned. Meetings wait while the closure runs, so prefer few evaluations per step.
  ::torch::Tensor step(::torch::optim::Optimizer::LossClosure closure, std::uint64_t samples = 1);

  /// For everything else that writes parameters: `trainer.edit([&] { torch::load(model, path); });`.
  /// Parameters that `change` moved elsewhere (torch::load may do so) are brought back into the flat buffer.
  void edit(const std::function<void()>& change);

  /// Whether the samples of all workers have reached Options::sample_goal. Thread-safe.
  bool done() const;
  /// The latest loss, for RunStatus::loss. Thread-safe.
  void report_loss(double loss);

  /// Ends training: see Worker::finish(). Afterwards parameters and floating-point buffers are the members'
  /// exact mean.
  FinishResult finish();

  RunStatus status() const;             ///< thread-safe
  WorkerStatistics statistics() const;  ///< thread-safe
  /// Everything else that a member of a run can do. Do not call its step(), edit() and finish(): the
  /// Trainer's do more.
  Worker& worker();

 private:
  struct Tag {};
  Trainer(Tag, std::shared_ptr<::torch::nn::Module> model, ::torch::optim::Optimizer& optimizer,
          Options options, TrainerOptions trainer_options);

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::torch
