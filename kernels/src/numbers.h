// Sequences of numbers from JSON text to float32, without an object for each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larnn {

// Where numbers go, and how many there may be.
struct Room {
  float* values;
  size_t most_values;
  int64_t* steps;
  size_t most_sequences;
};

struct Sequences {
  size_t count = 0;
  size_t width = 0;
  const char* end = nullptr;
};

// Reads [[[x, …], …], …]: sequences of steps, all of one width, none empty, every number finite as
// a float32. False where the text is anything else, which need not be wrong: it says not why.
bool read_sequences(const char* text, const char* end, const Room& room, Sequences& found);

// The same of one sequence by itself: [[x, …], …].
bool read_steps(const char* text, const char* end, const Room& room, Sequences& found);

}  // namespace larnn
