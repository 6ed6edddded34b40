// Products of a few rows with a constant matrix: out = start + in · M.
//
// Each element of the result adds its terms one after the other in the order of the inputs,
// whatever rows and columns are computed beside it. The bits of a row therefore do not depend on
// its batch, and a product may be divided over its inputs: the second part continues from the sums
// that the first part stored.
#pragma once

#include <vector>

#include "buffer.h"
#include "simd.h"

namespace larnn::LARNN_LEVEL {

inline constexpr int kPanel = 3;  // vectors side by side

// A matrix [inputs, outputs], stored in panels of up to kPanel vectors of columns, each panel row
// by row.
class Matrix {
 public:
  // The first `first_columns` columns come from `first`, the others from `second`, both row-major.
  Matrix(int inputs, const float* first, int first_columns, const float* second, int second_columns)
      : inputs_(inputs),
        vectors_(vectors(first_columns + second_columns)),
        data_(static_cast<size_t>(inputs) * vectors_ * kLanes) {
    for (int vector = 0; vector < vectors_; ++vector) {
      const int panel = vector / kPanel * kPanel;
      const int width = panel_width(panel) * kLanes;
      for (int row = 0; row < inputs; ++row) {
        float* to = data_.data() + static_cast<size_t>(inputs) * panel * kLanes +
                    static_cast<size_t>(row) * width + (vector - panel) * kLanes;
        for (int lane = 0; lane < kLanes; ++lane) {
          const int column = vector * kLanes + lane;
          if (column < first_columns) {
            to[lane] = first[static_cast<size_t>(row) * first_columns + column];
          } else if (column < first_columns + second_columns) {
            const int other = column - first_columns;
            to[lane] = second[static_cast<size_t>(row) * second_columns + other];
          }
        }
      }
    }
  }
  Matrix(int inputs, const float* weights, int columns)
      : Matrix(inputs, weights, columns, nullptr, 0) {}

  int inputs() const { return inputs_; }
  int width() const { return vectors_; }
  int panel_width(int vector) const {
    return vectors_ - vector < kPanel ? vectors_ - vector : kPanel;
  }
  const float* panel(int vector) const {
    return data_.data() + static_cast<size_t>(inputs_) * vector * kLanes;
  }

 private:
  int inputs_, vectors_;
  Buffer data_;
};

// Makes a Matrix of weights [outputs, inputs], the order that torch and ONNX use.
inline Matrix transposed(const float* weights, int outputs, int inputs) {
  std::vector<float> result(static_cast<size_t>(outputs) * inputs);
  for (int output = 0; output < outputs; ++output)
    for (int input = 0; input < inputs; ++input)
      result[static_cast<size_t>(input) * outputs + output] = *weights++;
  return {inputs, result.data(), outputs};
}

// Rows of floats that are `stride` floats apart. Stride 0 means the same row each time.
struct Rows {
  const float* data;
  size_t stride;
};

// Multiplies kRows rows with kPanels panels of kWidth vectors, with all sums in registers. The
// loops must be unrolled before the compiler decides where the sums are stored; otherwise it stores
// them on the stack.
template <int kRows, int kPanels, int kWidth>
void micro_kernel(int inputs, const float* weights, Rows in, Rows start, float* out,
                  size_t out_stride) {
  constexpr int kVectors = kPanels * kWidth;
  const size_t panel_size = static_cast<size_t>(inputs) * kWidth * kLanes;
  Vec sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v)
      sum[row][v] = load(start.data + row * start.stride + v * kLanes);
  for (int input = 0; input < inputs; ++input, weights += kWidth * kLanes) {
    Vec w[kVectors];
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v)
      w[v] = load(weights + v / kWidth * panel_size + v % kWidth * kLanes);
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row) {
      const Vec x = broadcast(in.data[row * in.stride + input]);
#pragma GCC unroll 12
      for (int v = 0; v < kVectors; ++v) sum[row][v] += x * w[v];
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) store(out + row * out_stride + v * kLanes, sum[row][v]);
}

// With few rows several panels are computed at once, so that enough sums are in progress to hide
// the latency of an addition.
constexpr int panels_at_once(int rows) {
  return rows == 1                       ? 4
         : rows == 2                     ? (kRowsAtOnce == 8 ? 4 : 2)
         : rows == 3 && kRowsAtOnce == 8 ? 2
                                         : 1;
}

template <int kRows>
void row_group(const Matrix& m, int vector, int panels, Rows in, Rows start, float* out,
               size_t out_stride) {
  const float* weights = m.panel(vector);
  if (panels > 1)
    return micro_kernel<kRows, panels_at_once(kRows), kPanel>(m.inputs(), weights, in, start, out,
                                                              out_stride);
  switch (m.panel_width(vector)) {
    case 1:
      return micro_kernel<kRows, 1, 1>(m.inputs(), weights, in, start, out, out_stride);
    case 2:
      return micro_kernel<kRows, 1, 2>(m.inputs(), weights, in, start, out, out_stride);
    default:
      return micro_kernel<kRows, 1, 3>(m.inputs(), weights, in, start, out, out_stride);
  }
}

using RowGroup = void (*)(const Matrix&, int, int, Rows, Rows, float*, size_t);
inline constexpr RowGroup kRowGroups[] = {
    row_group<1>, row_group<2>, row_group<3>, row_group<4>,
#if defined(__AVX512F__) || defined(__aarch64__)
    row_group<5>, row_group<6>, row_group<7>, row_group<8>,
#endif
};

// Computes out = start + in · m for `rows` rows. It writes whole vectors, so a row of out needs
// room for padded(columns) floats. `in` may not overlap `out`; `start` may be `out` itself.
inline void multiply(const Matrix& m, int rows, Rows in, Rows start, float* out,
                     size_t out_stride) {
  int panels = 1;
  if (rows < kRowsAtOnce) panels = panels_at_once(rows);
  for (int vector = 0; vector < m.width();) {
    const bool several = panels > 1 && m.width() - vector >= panels * kPanel;
    const size_t column = static_cast<size_t>(vector) * kLanes;
    for (int row = 0; row < rows; row += kRowsAtOnce) {
      const int group = rows - row < kRowsAtOnce ? rows - row : kRowsAtOnce;
      const Rows from{in.data + row * in.stride, in.stride};
      const Rows before{start.data + row * start.stride + column, start.stride};
      kRowGroups[group - 1](m, vector, several ? panels : 1, from, before,
                            out + row * out_stride + column, out_stride);
    }
    vector += several ? panels * kPanel : m.panel_width(vector);
  }
}

}  // namespace larnn::LARNN_LEVEL
