// Sequences of numbers from JSON text to float32, without an object for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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

// Where the value of that key begins, which has its quotes; none where it is not plainly there.
const char* value_of(std::string_view text, std::string_view key);

// Whether there may be another: of a key that comes twice, or is written with escapes, the last one
// would count.
bool may_repeat(std::string_view behind, std::string_view key);

// The same of one sequence by itself: [[x, …], …].
bool read_steps(const char* text, const char* end, const Room& room, Sequences& found);

}  // namespace larnn
