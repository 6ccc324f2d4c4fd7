#include "recording_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "duet/error.h"
#include "duet/version.h"

namespace duet::observer {

RecordingWriter::RecordingWriter(const std::string& path, bool overwrite) : path_(path) {
  const int how = O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL);
  descriptor_ = open(path.c_str(), how, 0644);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == EEXIST) {
      throw ConfigurationError("cannot record to " + path +
                               ": the file is there already; choose another name, or remove it");
    }
    throw ConfigurationError("cannot record to " + path + ": " + std::strerror(error));
  }
  buffer_ = encode_recording_header(std::string("Duet ") + DUET_VERSION_STRING);
  bytes_ = buffer_.size();
}

RecordingWriter::~RecordingWriter() {
  close();
}

bool RecordingWriter::append(double time, std::string_view frame) {
  if (!write(RecordKind::kFrame, time, frame)) return false;
  ++frames_;
  return true;
}

bool RecordingWriter::write(RecordKind kind, double time, std::string_view payload) {
  if (descriptor_ < 0) return false;
  last_time_ = time;
  buffer_ += encode_record_header(kind, time, payload);
  buffer_ += payload;
  bytes_ += kRecordHeaderBytes + payload.size();
  return buffer_.size() < kBuffer || flush();
}

bool RecordingWriter::flush() {
  if (descriptor_ < 0) return false;
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      problem_ =
          "recording to " + path_ + " ended: " + (count < 0 ? std::strerror(errno) : "nothing was written");
      ::close(descriptor_);
      descriptor_ = -1;
      return false;
    }
    done += static_cast<std::size_t>(count);
  }
  buffer_.clear();
  return true;
}

bool RecordingWriter::close() {
  if (descriptor_ < 0) return problem_.empty();
  if (!write(RecordKind::kEnd, last_time_, {}) || !flush()) return false;
  const bool closed = ::close(descriptor_) == 0;
  if (!closed) problem_ = "recording to " + path_ + " ended: " + std::strerror(errno);
  descriptor_ = -1;
  return closed;
}

}  // namespace duet::observer
