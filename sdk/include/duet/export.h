#pragma once

/// Marks what libduet.so shows; everything else is hidden.
#define DUET_API __attribute__((visibility("default")))
