#pragma once

#include <stdexcept>
#include <string>

#include "duet/export.h"

namespace duet {

/// Base of everything that Duet throws. what() names what was asked, what is wrong and what to do about it.
class DUET_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

/// A wrong option, file or environment variable. Nothing was started.
class DUET_API ConfigurationError : public Error {
 public:
  using Error::Error;
  ~ConfigurationError() override;
};

/// No usable transport, or the one in use broke for good. Names local rank, peer, transport and epoch.
class DUET_API TransportError : public Error {
 public:
  using Error::Error;
  ~TransportError() override;
};

/// The run cannot be joined (nobody answers, different models, different options), or the others are gone.
class DUET_API MembershipError : public Error {
 public:
  using Error::Error;
  ~MembershipError() override;
};

/// An accelerator, or the library that drives it, failed. Names the device and what it was asked to do.
class DUET_API DeviceError : public Error {
 public:
  using Error::Error;
  ~DeviceError() override;
};

/// Something that others had to do was not done by its deadline.
class DUET_API TimeoutError : public Error {
 public:
  using Error::Error;
  ~TimeoutError() override;
};

}  // namespace duet
