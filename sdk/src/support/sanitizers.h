#pragma once

// DUET_UNDER_ASAN, DUET_UNDER_TSAN: defined where this code is built with that sanitizer, by whichever
// compiler and flag. GCC has a macro for each, clang a feature.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DUET_UNDER_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define DUET_UNDER_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(DUET_UNDER_ASAN)
#define DUET_UNDER_ASAN
#endif
#if defined(__SANITIZE_THREAD__) && !defined(DUET_UNDER_TSAN)
#define DUET_UNDER_TSAN
#endif
