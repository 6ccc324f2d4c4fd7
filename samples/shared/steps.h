#pragma once

namespace samples {

/// A program's one argument, how many steps to train: from 1 to 10^9, 2,000 without. Ends the program after
/// --help (exit code 0), and with a line that says what is wrong (2).
int steps_from(int argc, char** argv, const char* program);

}  // namespace samples
