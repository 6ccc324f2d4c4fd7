// A trainer with LibTorch: linear regression, each worker on batches of its own.
#include <duet/duet.h>
#include <duet/torch/trainer.h>
#include <torch/torch.h>

#include <cstdio>
#include <exception>

int main() try {
  torch::set_num_threads(1);
  torch::nn::Linear model(8, 1);
  torch::optim::AdamW optimizer(model->parameters(), torch::optim::AdamWOptions(0.05).weight_decay(0.0));
  duet::torch::Trainer trainer(model, optimizer, duet::Options::from_environment());

  torch::manual_seed(1 + trainer.worker().rank());
  torch::Tensor loss;
  for (int step = 0; step < 300; ++step) {
    const auto data = torch::randn({64, 8});
    optimizer.zero_grad();
    loss = torch::mse_loss(model->forward(data), data.sum(1, true));
    loss.backward();
    trainer.step();
  }
  const duet::FinishResult result = trainer.finish();

  const auto data = torch::randn({256, 8});
  const double end = torch::mse_loss(model->forward(data), data.sum(1, true)).item<double>();
  if (!(end < 0.05)) {
    std::fprintf(stderr, "rank %d: the loss is still %f\n", trainer.worker().rank(), end);
    return 1;
  }
  std::printf("rank %d of %d: %zu members, %llu meetings, ended at %.6f\n", trainer.worker().rank(),
              trainer.worker().world_size(), result.members.size(),
              static_cast<unsigned long long>(trainer.statistics().meetings),
              model->weight.sum().item<double>());
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "torch_trainer: %s\n", error.what());
  return 2;
}
