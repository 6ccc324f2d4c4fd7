// Trains a real model by decentralised workers: duet-run -n 16 duet-train --dataset digits --graph ring
// --progress

#include <cstdio>
#include <exception>
#include <string>

#include "duet/error.h"
#include "settings.h"
#include "training.h"

namespace {

int complain(const std::exception& error, int code) {
  const std::string text = error.what();
  // LibTorch appends a stack trace to its messages.
  std::fprintf(stderr, "duet-train: %s\n", text.substr(0, text.find("\nException raised from")).c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    samples::Settings settings;
    if (const auto code = samples::parse(argc, argv, settings)) return *code;
    const auto task = samples::load_task(settings);
    return settings.workers > 0 ? samples::train_in_threads(settings, *task)
                                : samples::train(settings, settings.options, *task);
  } catch (const duet::ConfigurationError& error) {
    return complain(error, 2);
  } catch (const std::exception& error) {
    return complain(error, 1);
  }
}
