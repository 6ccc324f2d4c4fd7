#pragma once

#include <netinet/in.h>

#include <string>

namespace duet::libfabric {

/// "127.0.0.1:4567".
std::string to_text(const sockaddr_in& address);

/// The blob that a context publishes and connect() takes: "duet-libfabric:tcp://127.0.0.1:4567". Text, so
/// that a roster or a capture of one can be read by a human, and so that a mix-up of providers has a clear
/// error.
std::string make_blob(const std::string& provider, const sockaddr_in& address);

/// Throws FailureError (DUET_MISUSE), with the name of the peer, when the bytes are no such blob, or name
/// another provider than ours.
sockaddr_in parse_blob(const std::string& blob, const std::string& our_provider, const std::string& peer);

}  // namespace duet::libfabric
