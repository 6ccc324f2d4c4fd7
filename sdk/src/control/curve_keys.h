#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace duet::control {

/// A CURVE key pair. Wiped on destruction.
struct CurveKeys {
  CurveKeys() = default;
  ~CurveKeys();
  CurveKeys(const CurveKeys&) = delete;
  CurveKeys& operator=(const CurveKeys&) = delete;

  std::array<std::uint8_t, 32> public_key{};
  std::array<std::uint8_t, 32> secret_key{};
};

/// The pair with which every worker of the run listens: a function of the run's secret alone. A CURVE server
/// never shows its public key and a client cannot begin without it, so only those who know the secret
/// complete a handshake.
void derive_server_keys(const std::string& secret, CurveKeys& keys);
/// A fresh pair, for one worker's connections to others.
void make_client_keys(CurveKeys& keys);

}  // namespace duet::control
