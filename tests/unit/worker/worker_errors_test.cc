#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;
using testing::HasSubstr;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(WorkerErrors, DifferentModelsAreRefusedOnBothSidesWithinSeconds) {
  const auto start = std::chrono::steady_clock::now();
  const auto errors = run_workers(3, threads_options(), [&](const Options& mine) {
    std::vector<float> x(mine.rank == 2 ? 11 : 10);
    const Worker worker(mine, {Buffer{x.data(), x.size(), duet::DType::kFloat32, "net"}});
  });
  EXPECT_LT(seconds_since(start), 10.0);
  for (const auto& error : errors) {
    EXPECT_THAT(error, HasSubstr("10 x float32"));
    EXPECT_THAT(error, HasSubstr("11 x float32"));
  }
}

TEST(WorkerErrors, AMissingWorkerIsNamed) {
  Options options = threads_options();
  options.join_timeout = 0.5;
  const auto errors = run_workers(3, options, [&](const Options& mine) {
    if (mine.rank == 1) return;
    std::vector<float> x(10);
    const Worker worker(mine, {Buffer{x.data(), x.size()}});
  });
  EXPECT_THAT(errors[0], HasSubstr("1"));
  EXPECT_NE(errors[2], "");
}

TEST(WorkerErrors, AnUnknownGraphAlgorithmOrTransportIsAConfigurationError) {
  std::vector<float> x(10);
  const auto make = [&](const std::function<void(Options&)>& change) {
    Options options = threads_options();
    options.world_size = 2;
    change(options);
    const Worker worker(options, {Buffer{x.data(), x.size()}});
  };
  EXPECT_THROW(make([](Options& o) { o.graph = "triangle"; }), duet::ConfigurationError);
  EXPECT_THROW(make([](Options& o) { o.algorithm = "magic"; }), duet::ConfigurationError);
  EXPECT_THROW(make([](Options& o) { o.rate = 0.0; }), duet::ConfigurationError);
  EXPECT_THROW(make([](Options& o) { o.pairing = "none"; }), duet::ConfigurationError);
  EXPECT_THROW(make([](Options& o) { o.clock = "sundial"; }), duet::ConfigurationError);
  EXPECT_THROW(make([](Options& o) { o.transport = "pigeon"; }), duet::TransportError);
  EXPECT_THROW(make([](Options& o) { o.topology = duet::Topology::make("ring", 5); }),
               duet::ConfigurationError);
}

TEST(WorkerErrors, WhatAnUpdateThrowsPassesThroughAndTheWorkerLives) {
  const auto errors = run_workers(2, threads_options(), [&](const Options& mine) {
    std::vector<float> x(10);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    EXPECT_THROW(worker.step([] { throw std::runtime_error("out of data"); }), std::runtime_error);
    for (int i = 0; i < 20; ++i)
      worker.step([&] { x[0] += 1.0F; });
    EXPECT_EQ(worker.finish().members.size(), 2U);
    EXPECT_THROW(worker.step([] {}), duet::Error);
    EXPECT_THROW(worker.finish(), duet::Error);
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(WorkerErrors, LeavingWithoutFinishHangsNobody) {
  const auto start = std::chrono::steady_clock::now();
  const auto errors = run_workers(4, threads_options(), [&](const Options& mine) {
    std::vector<float> x(1000);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int i = 0; i < 50 * (mine.rank + 1); ++i)
      worker.step([&] { x[0] += 1.0F; });
    if (mine.rank == 2) return;  // its destructor says goodbye
    const auto result = worker.finish();
    EXPECT_EQ(result.members, (std::vector<int>{0, 1, 3}));
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_LT(seconds_since(start), 15.0);
}

}  // namespace
