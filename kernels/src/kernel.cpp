#include "kernel.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace larnn {

void refuse(const std::string& what) { throw std::invalid_argument(what); }

std::string text(const Shape& shape) {
  std::string result = "[";
  for (size_t i = 0; i < shape.size(); ++i) result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + "]";
}

void expect(const char* name, const Shape& found, const Shape& want) {
  if (found != want) refuse(std::string(name) + " is " + text(found) + ", expected " + text(want));
}

Shape shape_of(const Ort::KernelContext& context, int input) {
  return context.GetInput(input).GetTensorTypeAndShapeInfo().GetShape();
}

const float* constant(const Ort::ConstKernelInfo& info, int input, const char* name,
                      const Shape& shape) {
  int is_constant = 0;
  const Ort::ConstValue value = info.GetTensorConstantInput(input, &is_constant);
  if (!is_constant) refuse(std::string(name) + " must be a constant");
  expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
  return value.GetTensorData<float>();
}

namespace {

// Fills in where the state of each row is read and written. Returns the number of rows of the state
// tensors.
int64_t place(const Ort::KernelContext& context, Run& run) {
  Batch& batch = run.batch;
  if (shape_of(context, kRows) == Shape{0}) {
    run.each.resize(batch.rows);
    std::iota(run.each.begin(), run.each.end(), 0);
    batch.from = batch.to = run.each.data();
    return batch.rows;
  }
  batch.from = input<int64_t>(context, kRows, "rows", {batch.rows});
  batch.to = input<int64_t>(context, kNextRows, "next_rows", {batch.rows});
  const Shape shape = shape_of(context, kHidden);
  const int64_t stored = shape.empty() ? 0 : shape[0];
  run.each.assign(batch.to, batch.to + batch.rows);
  std::sort(run.each.begin(), run.each.end());
  if (std::adjacent_find(run.each.begin(), run.each.end()) != run.each.end())
    refuse("next_rows must differ from each other");
  for (int row = 0; row < batch.rows; ++row) {
    for (int64_t index : {batch.from[row], batch.to[row]})
      if (index < 0 || index >= stored) refuse("rows and next_rows must be rows of the state");
    if (std::binary_search(run.each.begin(), run.each.end(), batch.from[row]))
      refuse("no row may be among both rows and next_rows");
  }
  return stored;
}

struct Tiles {
  const Layer& layer;
  const Batch& batch;
  const std::vector<int>& rows;
};

void run_tile(void* data, size_t tile) {
  const Tiles& tiles = *static_cast<const Tiles*>(data);
  const size_t from = tile * kTileRows,
               count = std::min<size_t>(kTileRows, tiles.rows.size() - from);
  tiles.layer.run(tiles.batch, tiles.rows.data() + from, static_cast<int>(count));
}

}  // namespace

int64_t open_common(const Ort::KernelContext& context, int64_t inputs, int64_t n, Run& run) {
  const Shape shape = shape_of(context, kX);
  if (shape.size() != 3 || shape[2] != inputs)
    refuse("x is " + text(shape) + ", expected [batch, steps, " + std::to_string(inputs) + "]");
  Batch& batch = run.batch;
  const int64_t rows = shape[0], steps = shape[1];
  batch.rows = static_cast<int>(rows);
  batch.steps = static_cast<int>(steps);
  batch.x = input<float>(context, kX, "x", shape);
  batch.lengths = input<int64_t>(context, kLengths, "lengths", {rows});
  for (int row = 0; row < batch.rows; ++row)
    if (batch.lengths[row] < 0 || batch.lengths[row] > steps)
      refuse("lengths must be from 0 to the number of steps");
  const int64_t stored = place(context, run);
  batch.hidden = input<float>(context, kHidden, "hidden", {stored, n});
  batch.cell = input<float>(context, kCell, "cell", {stored, n});
  batch.hiddens = output<float>(context, kHiddens, {rows, steps, n});
  batch.next_hidden = output<float>(context, kNextHidden, {stored, n});
  batch.next_cell = output<float>(context, kNextCell, {stored, n});
  return stored;
}

void run_tiles(const Ort::KernelContext& context, const Layer& layer, const Batch& batch) {
  // The longest row is first, so that rows which have ended leave their tile from its end.
  std::vector<int> rows(batch.rows);
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int a, int b) { return batch.lengths[a] > batch.lengths[b]; });
  Tiles tiles{layer, batch, rows};
  context.ParallelFor(run_tile, (rows.size() + kTileRows - 1) / kTileRows, 0, &tiles);
}

}  // namespace larnn
