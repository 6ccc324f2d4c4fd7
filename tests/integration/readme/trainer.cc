// The README's lines for LibTorch, in the smallest program around them.
#include <duet/duet.h>
#include <duet/torch/trainer.h>
#include <torch/torch.h>

#include <cstdio>
#include <vector>

namespace {

struct Batch {
  torch::Tensor data;
  torch::Tensor target;
};

torch::Tensor loss(torch::nn::Linear& model, const Batch& batch) {
  return torch::mse_loss(model->forward(batch.data), batch.target);
}

}  // namespace

int main() {
  torch::set_num_threads(1);
  torch::manual_seed(1);
  torch::nn::Linear model(4, 1);
  torch::optim::AdamW optimizer(model->parameters(), 0.05);
  std::vector<Batch> loader;
  for (int i = 0; i < 200; ++i) {
    const auto data = torch::randn({16, 4});
    loader.push_back({data, data.sum(1, true)});
  }
#include "trainer.inc"
  const double end = loss(model, loader.front()).item<double>();
  if (end > 0.05) {
    std::fprintf(stderr, "the loss is still %f\n", end);
    return 1;
  }
  return 0;
}
