#include "torch/statistics.h"

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <limits>

// Not in namespace duet: there, torch would be duet::torch.
namespace {

using duet::Buffer;
using duet::BufferRole;
using duet::torch::Statistics;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct NetImpl : torch::nn::Module {
  NetImpl() {
    norm = register_module("norm", torch::nn::BatchNorm1d(2));
    mask = register_buffer("mask", torch::full({2}, -std::numeric_limits<float>::infinity()));
    wide = register_buffer("wide", torch::full({3}, 0.5, torch::kFloat64));
  }
  torch::nn::BatchNorm1d norm{nullptr};
  torch::Tensor mask, wide;
};
TORCH_MODULE(Net);

TEST(Statistics, TakeFloatingBuffersAndLeaveTheRest) {
  Net net;
  Statistics statistics(*net);
  const Buffer buffer = statistics.buffer(3);
  EXPECT_EQ(buffer.count, 2u + 2u + 3u);
  EXPECT_EQ(buffer.role, BufferRole::kStatistics);
  EXPECT_EQ(buffer.every, 3);
  EXPECT_THAT(buffer.schema, AllOf(HasSubstr("norm.running_mean [2] float"),
                                   HasSubstr("norm.running_var [2] float"), HasSubstr("wide [3] double"),
                                   Not(HasSubstr("num_batches_tracked")), Not(HasSubstr("mask"))));
}

TEST(Statistics, AreEmptyWithoutBuffers) {
  torch::nn::Linear net(2, 2);
  Statistics statistics(*net);
  EXPECT_TRUE(statistics.empty());
  EXPECT_NO_THROW(statistics.pull());
  EXPECT_NO_THROW(statistics.push());
}

TEST(Statistics, PushWhatOthersWrote) {
  Net net;
  Statistics statistics(*net);
  auto* data = static_cast<float*>(statistics.buffer(0).data);
  for (int i = 0; i < 7; ++i)
    data[i] = static_cast<float>(i);
  statistics.push();
  EXPECT_TRUE(torch::equal(net->norm->running_mean, torch::tensor({3.0f, 4.0f})));
  EXPECT_TRUE(torch::equal(net->norm->running_var, torch::tensor({5.0f, 6.0f})));
  EXPECT_TRUE(torch::equal(net->wide, torch::tensor({0.0, 1.0, 2.0}, torch::kFloat64)));
}

TEST(Statistics, PullTheModelsValuesExactly) {
  Net net;
  Statistics statistics(*net);
  net->norm(torch::randn({16, 2}) * 3.3);
  const auto mean = net->norm->running_mean.clone();
  statistics.pull();
  statistics.push();
  EXPECT_TRUE(torch::equal(net->norm->running_mean, mean));
  EXPECT_EQ(net->norm->num_batches_tracked.item<int>(), 1);
}

TEST(Statistics, KeepBothForwardPassesAndMeetings) {
  Net net;
  Statistics statistics(*net);
  net->norm->running_mean.fill_(1.0);
  statistics.pull();
  statistics.push();
  auto* data = static_cast<float*>(statistics.buffer(0).data);
  data[3] += 0.25f;                    // a meeting, delivered
  net->norm->running_mean.add_(0.5f);  // forward passes, meanwhile
  statistics.pull();
  statistics.push();
  EXPECT_TRUE(torch::equal(net->norm->running_mean, torch::tensor({1.75f, 1.5f})));
  statistics.pull();
  EXPECT_EQ(data[3], 1.75f);
}

}  // namespace
