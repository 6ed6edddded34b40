// What the rows that go through a step together work on.
#pragma once

#include <memory>

#include "attention.h"
#include "buffer.h"
#include "layer.h"
#include "product.h"
#include "queue.h"

namespace larnn::LARNN_LEVEL {

inline constexpr int kBlockRows = 64;  // rows times steps whose inputs are projected at once

// A row of floats for each row of the tile.
struct Lines {
  float* data = nullptr;
  size_t stride = 0;

  float* operator[](int row) const { return data + row * stride; }
  Rows rows() const { return {data, stride}; }
};

// Memory of this thread that lasts: it grows, and what it holds has no meaning from run to run.
inline float* thread_memory(size_t count) {
  thread_local std::unique_ptr<Buffer> memory;
  thread_local size_t size = 0;
  if (size < count) {
    memory.reset();
    memory = std::make_unique<Buffer>(count);
    size = count;
  }
  return memory->data();
}

class Tile {
 public:
  Tile(int n, int window_size, size_t scores_size) {
    const size_t one = padded(n), gates = n + padded(4 * n), ring = padded(2 * window_size * n);
    const size_t wide = gates > size_t(padded(5 * n)) ? gates : padded(5 * n);
    const size_t per_row = 5 * one + padded(2 * n) + wide + ring;
    const size_t total = kBlockRows * (one + wide) + scores_size + kTileRows * per_row;
    next_ = thread_memory(total);
    x = lines(kBlockRows, one);
    from_x = lines(kBlockRows, wide);
    scores = lines(1, scores_size).data;
    hidden = lines(kTileRows, one);
    cell = lines(kTileRows, one);
    query = lines(kTileRows, one);
    attended = lines(kTileRows, one);
    projected = lines(kTileRows, one);
    pair = lines(kTileRows, padded(2 * n));
    sums = lines(kTileRows, wide);
    ring_ = lines(kTileRows, ring);
  }

  float* ring(int row) const { return ring_[row]; }

  Lines x, from_x;                   // [kBlockRows]: inputs, and what they add to query and gates
  Lines hidden, cell;                // the state
  Lines query, attended, projected;  // attention
  Lines pair;                        // key and value before activation
  Lines sums;                        // query and gates before their activation
  float* scores;                     // of one row
  Queue queues[kTileRows];

 private:
  Lines lines(int count, size_t stride) {
    const Lines result{next_, stride};
    next_ += count * stride;
    return result;
  }

  Lines ring_;
  float* next_;
};

}  // namespace larnn::LARNN_LEVEL
