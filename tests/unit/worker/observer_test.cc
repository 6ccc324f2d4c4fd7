#include <duet/duet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::MeetingEvent;
using duet::Options;
using duet::Worker;

/// Two workers that train until `done` says so of both.
void train_until(const std::function<void(Worker&)>& prepare, const std::function<bool()>& done) {
  const auto errors = run_workers(2, threads_options(), [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    prepare(worker);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(done());
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Observer, MayEndItself) {
  std::atomic<int> calls{0};
  train_until(
      [&](Worker& worker) {
        worker.on_meeting([&](const MeetingEvent&) {
          ++calls;
          worker.on_meeting({});
        });
      },
      [&] { return calls.load() >= 2; });
  EXPECT_EQ(calls.load(), 2) << "one call for each of the two workers";
}

TEST(Observer, MayReplaceItself) {
  std::atomic<int> first{0}, second{0};
  train_until(
      [&](Worker& worker) {
        worker.on_meeting([&](const MeetingEvent&) {
          ++first;
          worker.on_meeting([&](const MeetingEvent&) { ++second; });
        });
      },
      [&] { return first.load() >= 2 && second.load() >= 4; });
  EXPECT_EQ(first.load(), 2);
}

TEST(Observer, IsRefusedWhatWouldWaitForItself) {
  std::atomic<int> refused{0};
  train_until(
      [&](Worker& worker) {
        worker.on_meeting([&](const MeetingEvent&) {
          const auto expect_refusal = [&](const std::function<void()>& call) {
            try {
              call();
            } catch (const duet::Error& error) {
              if (std::string(error.what()).find("observer") != std::string::npos) ++refused;
            }
          };
          expect_refusal([&] { worker.step([] {}); });
          expect_refusal([&] { worker.edit([] {}); });
          expect_refusal([&] { worker.gather("text"); });
          expect_refusal([&] { worker.finish(); });
          worker.on_meeting({});
        });
      },
      [&] { return refused.load() >= 8; });
  EXPECT_EQ(refused.load(), 8);
}

TEST(Observer, ThatThrowsIsDropped) {
  std::atomic<int> calls{0};
  train_until(
      [&](Worker& worker) {
        worker.on_meeting([&](const MeetingEvent&) {
          ++calls;
          throw 7;
        });
      },
      [&] { return calls.load() >= 2; });
  EXPECT_EQ(calls.load(), 2);
}

TEST(NestedCalls, AreAnErrorAndNoDeadlock) {
  const auto errors = run_workers(2, threads_options(), [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    EXPECT_THROW(worker.step([&] { worker.step([] {}); }), duet::Error);
    EXPECT_THROW(worker.step([&] { worker.edit([] {}); }), duet::Error);
    EXPECT_THROW(worker.edit([&] { worker.sketch(); }), duet::Error);
    EXPECT_THROW(worker.step([&] { worker.finish(); }), duet::Error);
    worker.step([] {});  // the gate is free again
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

}  // namespace
