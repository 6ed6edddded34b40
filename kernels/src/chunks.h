// Frames of one turn of the service's event loop, each a chunk of its stream's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace larnn {

// What is in a frame.
struct FoundChunk {
  enum Kind : int64_t { kNotPlain, kBinary, kText };

  int64_t kind = kNotPlain;
  int64_t first = 0, count = 0;  // its values
  int64_t offset = 0;            // a binary frame's
  int64_t width = 0;             // numbers in a step of a text
  int64_t start = 0, end = 0;    // the text without its numbers
};

// Where values and text go, and how many values there may be.
struct ChunkRoom {
  float* values;
  size_t most;
  char* text;  // as long as the frame
};

// Reads a websocket frame of a client's: a whole message of at most `largest` bytes, either
// uint64 and then float32, little-endian, or JSON with "steps": [[…], …], whose numbers are cut
// out. False where it is anything else, which need not be wrong, or has a value that is not finite.
bool read_chunk(const char* frame, size_t size, size_t largest, const ChunkRoom& room,
                FoundChunk& found);

}  // namespace larnn
