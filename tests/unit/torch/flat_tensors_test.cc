#include "torch/flat_tensors.h"

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "duet/error.h"

// Not in namespace duet: there, torch would be duet::torch.
namespace {

using duet::Buffer;
using duet::ConfigurationError;
using duet::torch::FlatParameters;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct NetImpl : torch::nn::Module {
  NetImpl() {
    convolution = register_module(
        "convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 3, 3).bias(false)));  // bias: undefined
    norm = register_module("norm", torch::nn::BatchNorm2d(3));
    head = register_module("head", torch::nn::Linear(12, 2));
    frozen = register_parameter("frozen", torch::full({5}, 7.0), /*requires_grad=*/false);
    nothing = register_parameter("nothing", torch::zeros({0, 3}));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return head(torch::relu(norm(convolution(x))).flatten(1)) + frozen.sum() * 0;
  }
  torch::nn::Conv2d convolution{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
  torch::nn::Linear head{nullptr};
  torch::Tensor frozen, nothing;
};
TORCH_MODULE(Net);

std::vector<torch::Tensor> copies(torch::nn::Module& model) {
  std::vector<torch::Tensor> values;
  for (const auto& parameter : model.parameters())
    values.push_back(parameter.detach().clone());
  return values;
}

::testing::AssertionResult same(torch::nn::Module& model, const std::vector<torch::Tensor>& values) {
  const auto parameters = model.parameters();
  if (parameters.size() != values.size())
    return ::testing::AssertionFailure() << "another number of parameters";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!torch::equal(parameters[i], values[i])) return ::testing::AssertionFailure() << "parameter " << i;
  }
  return ::testing::AssertionSuccess();
}

template <class Function>
std::string message_of(Function&& function) {
  try {
    function();
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

torch::optim::SGD sgd(torch::nn::Module& model, double lr = 0.1) {
  return torch::optim::SGD(model.parameters(), torch::optim::SGDOptions(lr).momentum(0.9));
}

TEST(FlatParameters, KeepValuesAndAliasTheModel) {
  Net net;
  auto optimizer = sgd(*net);
  const auto before = copies(*net);
  FlatParameters flat(*net, optimizer);
  EXPECT_TRUE(same(*net, before));

  const Buffer buffer = flat.buffers().front();
  auto* data = static_cast<float*>(buffer.data);
  const auto sum = [&] {
    double total = 0.0;
    for (const auto& parameter : net->parameters())
      total += parameter.sum().item<double>();
    return total;
  };
  double flat_sum = 0.0;
  for (std::size_t i = 0; i < buffer.count; ++i)
    flat_sum += data[i];
  EXPECT_NEAR(flat_sum, sum(), 1e-4);  // everything is in there, once; what lies between is zero

  for (std::size_t i = 0; i < buffer.count; ++i)
    data[i] = 1.0f;
  for (const auto& item : net->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), torch::ones_like(item.value()))) << item.key();
  }
  {
    const torch::NoGradGuard no_grad;
    net->frozen.fill_(3.0);  // through the handle that the model holds
  }
  int threes = 0;
  for (std::size_t i = 0; i < buffer.count; ++i)
    threes += data[i] == 3.0f;
  EXPECT_EQ(threes, 5);
  EXPECT_NO_THROW(flat.check());
}

TEST(FlatParameters, BeginAtCacheLines) {
  Net net;
  auto optimizer = sgd(*net);
  const FlatParameters flat(*net, optimizer);
  for (const auto& item : net->named_parameters()) {
    if (item.value().numel() == 0) continue;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(item.value().data_ptr()) % 64, 0u) << item.key();
  }
}

// Two copies of one model, one of them flattened in the middle of training, go on to the same bit.
template <class MakeOptimizer>
void expect_training_continues_unchanged(MakeOptimizer make_optimizer) {
  torch::manual_seed(5);
  Net plain, flattened;
  {
    const torch::NoGradGuard no_grad;
    const auto from = plain->parameters(), to = flattened->parameters();
    for (std::size_t i = 0; i < from.size(); ++i)
      to[i].copy_(from[i]);
  }
  auto plain_optimizer = make_optimizer(plain->parameters());
  auto flattened_optimizer = make_optimizer(flattened->parameters());
  const auto train = [](Net& net, auto& optimizer, int steps, int seed) {
    torch::manual_seed(seed);
    for (int i = 0; i < steps; ++i) {
      const auto x = torch::randn({8, 1, 4, 4});
      optimizer.zero_grad();
      torch::mse_loss(net(x), torch::ones({8, 2})).backward();
      optimizer.step();
    }
  };
  train(plain, plain_optimizer, 5, 1);
  train(flattened, flattened_optimizer, 5, 1);
  const FlatParameters flat(*flattened, flattened_optimizer);
  const auto before = copies(*plain);
  train(plain, plain_optimizer, 20, 2);
  train(flattened, flattened_optimizer, 20, 2);
  EXPECT_FALSE(same(*plain, before));
  EXPECT_TRUE(same(*flattened, copies(*plain)));
  EXPECT_NO_THROW(flat.check());
}

TEST(FlatParameters, LeaveSgdsMomentumAlone) {
  expect_training_continues_unchanged([](auto parameters) {
    return torch::optim::SGD(parameters, torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(1e-3));
  });
}

TEST(FlatParameters, LeaveAdamWsStateAlone) {
  expect_training_continues_unchanged([](auto parameters) {
    return torch::optim::AdamW(parameters, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  });
}

TEST(FlatParameters, KeepGradients) {
  Net net;
  auto optimizer = sgd(*net);
  net(torch::randn({2, 1, 4, 4})).sum().backward();
  const auto gradient = net->head->weight.grad().clone();
  const FlatParameters flat(*net, optimizer);
  ASSERT_TRUE(net->head->weight.grad().defined());
  EXPECT_TRUE(torch::equal(net->head->weight.grad(), gradient));
  net(torch::randn({2, 1, 4, 4})).sum().backward();
  EXPECT_FALSE(torch::equal(net->head->weight.grad(), gradient));
  EXPECT_FALSE(net->frozen.requires_grad());
}

struct TiedImpl : torch::nn::Module {
  explicit TiedImpl(bool through_memory) {
    encoder = register_module("encoder", torch::nn::Linear(torch::nn::LinearOptions(4, 4).bias(false)));
    if (through_memory) {
      decoder = register_parameter("decoder", torch::empty({4, 4}));
      decoder.set_data(encoder->weight);
    } else {
      decoder = register_parameter("decoder", encoder->weight);
    }
  }
  torch::nn::Linear encoder{nullptr};
  torch::Tensor decoder;
};
TORCH_MODULE(Tied);

TEST(FlatParameters, HoldTiedWeightsOnce) {
  for (const bool through_memory : {false, true}) {
    Tied net(through_memory);
    torch::optim::SGD optimizer(net->parameters(), 0.1);
    FlatParameters flat(*net, optimizer);
    EXPECT_EQ(flat.buffers().front().count, 16u);
    const torch::NoGradGuard no_grad;
    net->encoder->weight.fill_(2.0);
    EXPECT_TRUE(torch::equal(net->decoder, torch::full({4, 4}, 2.0)));
    EXPECT_NO_THROW(flat.check());
  }
}

TEST(FlatParameters, RefuseTensorsThatOverlapInPart) {
  torch::nn::Module net;
  const auto memory = torch::zeros({8});
  net.register_parameter("first", memory.narrow(0, 0, 5), false);
  net.register_parameter("second", memory.narrow(0, 3, 5), false);
  torch::optim::SGD optimizer(net.parameters(), 0.1);
  EXPECT_THAT(message_of([&] { FlatParameters(net, optimizer); }),
              AllOf(HasSubstr("'first'"), HasSubstr("'second'"), HasSubstr("overlap")));
}

TEST(FlatParameters, KeepTheOrderInMemory) {
  torch::nn::Conv2d net(torch::nn::Conv2dOptions(3, 8, 3));
  const torch::NoGradGuard no_grad;
  net->weight.set_data(net->weight.contiguous(at::MemoryFormat::ChannelsLast));
  const auto before = net->weight.clone();
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  FlatParameters flat(*net, optimizer);
  EXPECT_TRUE(net->weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(torch::equal(net->weight, before));
  EXPECT_THAT(flat.buffers().front().schema, HasSubstr("weight [8, 3, 3, 3] strides"));
}

TEST(FlatParameters, NameEveryParameterInTheSchema) {
  Net net;
  auto optimizer = sgd(*net);
  FlatParameters flat(*net, optimizer);
  EXPECT_THAT(flat.buffers().front().schema,
              AllOf(HasSubstr("convolution.weight [3, 1, 3, 3] float32\n"), HasSubstr("frozen [5] float32\n"),
                    HasSubstr("nothing [0, 3] float32\n")));
}

TEST(FlatParameters, KeepEveryTypeInABufferOfItsOwn) {
  Net net;
  net->head->to(torch::kBFloat16);
  auto optimizer = sgd(*net);
  const auto before = copies(*net);
  FlatParameters flat(*net, optimizer);
  EXPECT_TRUE(same(*net, before));
  const auto buffers = flat.buffers();
  ASSERT_EQ(buffers.size(), 2u);
  EXPECT_NE(buffers[0].dtype, buffers[1].dtype);
  EXPECT_NE(buffers[0].name, buffers[1].name);
  const Buffer& narrow = buffers[0].dtype == duet::DType::kBFloat16 ? buffers[0] : buffers[1];
  EXPECT_THAT(narrow.schema,
              AllOf(HasSubstr("head.weight"), HasSubstr("bfloat16"), testing::Not(HasSubstr("float32"))));
  auto* const elements = static_cast<c10::BFloat16*>(narrow.data);
  for (std::size_t i = 0; i < narrow.count; ++i)
    elements[i] = c10::BFloat16(2.0F);
  EXPECT_TRUE(torch::equal(net->head->weight, torch::full_like(net->head->weight, 2.0)));
  EXPECT_NO_THROW(flat.check());
  EXPECT_TRUE(flat.cuda_devices().empty());
}

TEST(FlatParameters, RefuseAnythingButFloat32) {
  Net net;
  net->head->to(torch::kFloat64);
  auto optimizer = sgd(*net);
  const auto before = net->frozen.data_ptr();
  EXPECT_THAT(message_of([&] { FlatParameters(*net, optimizer); }),
              AllOf(HasSubstr("'head.weight'"), HasSubstr("double"), HasSubstr("float32")));
  EXPECT_EQ(net->frozen.data_ptr(), before);  // nothing was moved
}

TEST(FlatParameters, RefuseAnOptimizerOfAnotherModel) {
  Net net, other;
  auto optimizer = sgd(*other);
  EXPECT_THAT(message_of([&] { FlatParameters(*net, optimizer); }),
              HasSubstr("none of the model's parameters"));
}

TEST(FlatParameters, RefuseAModelWithout) {
  torch::nn::ReLU net;
  Net other;
  auto optimizer = sgd(*other);
  EXPECT_THAT(message_of([&] { FlatParameters(*net, optimizer); }), HasSubstr("no parameters"));
}

TEST(FlatParameters, NoticeAParameterThatLeft) {
  Net net;
  auto optimizer = sgd(*net);
  FlatParameters flat(*net, optimizer);
  net->head->bias.set_data(torch::full({2}, 4.0));
  EXPECT_THAT(message_of([&] { flat.check(); }), AllOf(HasSubstr("'head.bias'"), HasSubstr("edit")));
  flat.reattach();
  EXPECT_NO_THROW(flat.check());
  EXPECT_TRUE(torch::equal(net->head->bias, torch::full({2}, 4.0)));

  net->head->bias.set_data(torch::full({3}, 4.0));
  EXPECT_THAT(message_of([&] { flat.reattach(); }), HasSubstr("'head.bias'"));
}

TEST(FlatParameters, OutliveTheirOwner) {
  Net net;
  auto optimizer = sgd(*net);
  const auto before = copies(*net);
  { const FlatParameters flat(*net, optimizer); }
  EXPECT_TRUE(same(*net, before));
  const FlatParameters again(*net, optimizer);
  EXPECT_TRUE(same(*net, before));
}

}  // namespace
