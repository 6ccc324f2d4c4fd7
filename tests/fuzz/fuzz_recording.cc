// libFuzzer on recordings and the frames in them: nothing in a file may crash who opens it, and whatever
// frame is believed goes on into the model. With DUET_FUZZ_SEEDS set to a directory, first writes a recording
// of the demo there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "duet/observer/source.h"
#include "recording_format.h"
#include "run_model.h"
#include "telemetry/frame.h"
#include "unit/observer/sample_frames.h"

using namespace duet::observer;

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* const directory = std::getenv("DUET_FUZZ_SEEDS");
  if (directory == nullptr) return 0;
  SampleRun run(4);
  std::string whole = encode_recording_header("seed");
  double time = 1000.0;
  for (std::uint64_t step = 1; step < 8; ++step, time += 0.2) {
    for (int rank = 0; rank < run.workers(); ++rank) {
      auto state = run.state(rank, step, 2 * step);
      state.ticks.push_back(
          {.tick = step, .time = time, .members = 4, .consensus_distance = 1.0, .distance_to_mean = 1.0});
      state.events.push_back({time, duet::telemetry::FrameEventKind::kMeeting, 0, (rank + 1) % 4, 0.5, 0.01});
      if (step == 1)
        whole += encode_record(RecordKind::kFrame, time, run.arrival(rank, time, run.header(rank)).bytes);
      whole += encode_record(RecordKind::kFrame, time, run.arrival(rank, time, state).bytes);
    }
  }
  whole += encode_record(RecordKind::kEnd, time, "");
  std::ofstream(directory + std::string("/recording"), std::ios::binary) << whole;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string reason;
  const auto header = parse_recording_header(bytes, &reason);
  if (!header && reason.empty()) std::abort();
  // Damaged checksums would keep the fuzzer out: what follows is looked at as a frame, too.
  RunModel model({});
  const auto look = [&](double time, std::string_view frame) {
    model.take({time, std::string(frame)});
    model.settle(time + 0.5);
    Update update;
    model.take_update(update);
  };
  if (header) {
    bytes.remove_prefix(header->bytes);
    for (;;) {
      const RecordParse parse = parse_record(bytes);
      if (parse.outcome != RecordParse::Outcome::kRecord) {
        if (parse.outcome == RecordParse::Outcome::kBroken && parse.reason.empty()) std::abort();
        break;
      }
      if (parse.record.bytes == 0 || parse.record.bytes > bytes.size()) std::abort();
      look(parse.record.time, parse.record.payload);
      bytes.remove_prefix(parse.record.bytes);
    }
  }
  look(1000.0, {reinterpret_cast<const char*>(data), size});
  if (size > kRecordHeaderBytes)
    look(1001.0, {reinterpret_cast<const char*>(data) + kRecordHeaderBytes, size - kRecordHeaderBytes});
  return 0;
}
