#include "control/curve_keys.h"

#include <sodium.h>

#include <string_view>

#include "duet/error.h"

namespace duet::control {
namespace {

void require_sodium() {
  if (sodium_init() < 0)
    throw ConfigurationError("libsodium cannot be initialised, so no secret can be used");
}

}  // namespace

CurveKeys::~CurveKeys() {
  sodium_memzero(secret_key.data(), secret_key.size());
}

void derive_server_keys(const std::string& secret, CurveKeys& keys) {
  static_assert(crypto_box_PUBLICKEYBYTES == 32 && crypto_box_SECRETKEYBYTES == 32);
  // Keyed, so that the same secret in another program gives other keys.
  constexpr std::string_view kPurpose = "duet control channel, version 1";
  static_assert(kPurpose.size() >= crypto_generichash_KEYBYTES_MIN &&
                kPurpose.size() <= crypto_generichash_KEYBYTES_MAX);
  require_sodium();
  std::array<unsigned char, crypto_box_SEEDBYTES> seed{};
  crypto_generichash(seed.data(), seed.size(), reinterpret_cast<const unsigned char*>(secret.data()),
                     secret.size(), reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size());
  crypto_box_seed_keypair(keys.public_key.data(), keys.secret_key.data(), seed.data());
  sodium_memzero(seed.data(), seed.size());
}

void make_client_keys(CurveKeys& keys) {
  require_sodium();
  crypto_box_keypair(keys.public_key.data(), keys.secret_key.data());
}

}  // namespace duet::control
