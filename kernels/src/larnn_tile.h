// The working memory of one tile of a LARNN layer: up to eight rows that go through a step
// together.
#pragma once

#include "attention.h"
#include "layer.h"
#include "lines.h"
#include "over_time.h"
#include "queue.h"

namespace larnn::LARNN_LEVEL {

class Tile {
 public:
  Tile(int n, int window_size, size_t scores_size)
      : Tile(padded(n), padded(2 * n), padded(2 * window_size * n), wide(n), scores_size) {}

  float* ring(int row) const { return ring_[row]; }

  Lines x, from_x;                   // [kBlockRows]: inputs, and what they add to query and gates
  Lines hidden, cell;                // the state
  Lines query, attended, projected;  // attention
  Lines pair;                        // key and value before activation
  Lines sums;                        // query and gates before their activation
  float* scores;                     // of one row
  Queue queues[kTileRows];

 private:
  // Query and gates lie side by side. The gates are also read as vectors from their own start.
  static size_t wide(int n) {
    const size_t gates = n + padded(4 * n);
    return gates > size_t(padded(5 * n)) ? gates : padded(5 * n);
  }

  Tile(size_t one, size_t two, size_t ring, size_t wide, size_t scores_size) {
    Cutter memory(kBlockRows * (one + wide) + scores_size +
                  kTileRows * (5 * one + two + wide + ring));
    x = memory.lines(kBlockRows, one);
    from_x = memory.lines(kBlockRows, wide);
    scores = memory.lines(1, scores_size).data;
    hidden = memory.lines(kTileRows, one);
    cell = memory.lines(kTileRows, one);
    query = memory.lines(kTileRows, one);
    attended = memory.lines(kTileRows, one);
    projected = memory.lines(kTileRows, one);
    pair = memory.lines(kTileRows, two);
    sums = memory.lines(kTileRows, wide);
    ring_ = memory.lines(kTileRows, ring);
  }

  Lines ring_;
};

}  // namespace larnn::LARNN_LEVEL
