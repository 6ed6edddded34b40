// The loop over time of the rows of a tile, for any cell.
//
// The rows go through a step together, so that each weight is loaded once for all of them. The
// longest row is first: rows that have ended leave the tile from its end. What the input adds does
// not depend on the state, so it is computed for many steps at once.
#pragma once

#include <cstring>

#include "layer.h"
#include "lines.h"

namespace larnn::LARNN_LEVEL {

inline constexpr int kBlockRows = 64;  // rows times steps whose inputs are projected together

inline size_t step_offset(const Batch& batch, int row, int t, int width) {
  return (static_cast<size_t>(row) * batch.steps + t) * width;
}

// Runs `count` rows of the batch, given by index. The cell begins and finishes a row of its tile,
// projects the inputs of steps · active rows, [steps][active], and computes a step with what they
// add. The tile has lines x and from_x [kBlockRows], and the state's lines hidden and cell.
template <typename Cell, typename Tile>
void over_time(const Cell& cell, const Batch& batch, const int* rows, int count, Tile& tile) {
  const int n = cell.hidden_size(), width = cell.input_size();
  int active = 0;
  for (int i = 0; i < count; ++i) {
    copy(tile.hidden[i], batch.hidden + batch.from[rows[i]] * n, n);
    copy(tile.cell[i], batch.cell + batch.from[rows[i]] * n, n);
    cell.begin(batch, rows[i], i, tile);
    if (batch.lengths[rows[i]] > 0) active = i + 1;
  }
  const auto finish = [&](int i) {
    const int row = rows[i], length = static_cast<int>(batch.lengths[row]);
    copy(batch.next_hidden + batch.to[row] * n, tile.hidden[i], n);
    copy(batch.next_cell + batch.to[row] * n, tile.cell[i], n);
    cell.finish(batch, row, i, tile);
    std::memset(batch.hiddens + step_offset(batch, row, length, n), 0,
                sizeof(float) * n * (batch.steps - length));
  };
  for (int i = active; i < count; ++i) finish(i);
  for (int t = 0; active > 0;) {
    const int shortest = static_cast<int>(batch.lengths[rows[active - 1]]) - t;
    const int steps = shortest < kBlockRows / active ? shortest : kBlockRows / active;
    for (int s = 0; s < steps; ++s)
      for (int i = 0; i < active; ++i)
        copy(tile.x[s * active + i], batch.x + step_offset(batch, rows[i], t + s, width), width);
    cell.project(steps * active, tile);
    for (int s = 0; s < steps; ++s) {
      cell.step(active, {tile.from_x[s * active], tile.from_x.stride}, tile);
      for (int i = 0; i < active; ++i)
        copy(batch.hiddens + step_offset(batch, rows[i], t + s, n), tile.hidden[i], n);
    }
    t += steps;
    for (; active > 0 && batch.lengths[rows[active - 1]] == t; --active) finish(active - 1);
  }
}

}  // namespace larnn::LARNN_LEVEL
