// The loop over time of one LARNN layer in training: the forward pass, which keeps what the
// derivatives need, and the backward pass.
#pragma once

#include <cstdint>

namespace larnn {

// Row-major float32. n = hidden size, T = steps, K = window size; w = n rounded up to whole vectors
// of `lanes` floats. Queries, keys and values have heads innermost, gates the order i, f, g, o.
// Weights have torch's order, [outputs, inputs]. If a tensor has T + 1 or K + T entries along time,
// the state before the first step comes first. larnn_export/families/larnn/native.py fills this
// structure field by field.
struct Training {
  int32_t rows, steps, n, heads, window_size;
  int32_t activate;       // ELU on keys and values
  const int64_t* filled;  // [rows], 0 to K

  const float* recurrent;             // [5n, n], of query and gates
  const float* attention;             // [4n, n]
  const float *output, *output_bias;  // [n, n], [n]
  const float *pair, *pair_bias;      // [2n, n], [2n], of key and value
  const float* positions;  // [K, 2n], what a slot adds to key and value before ELU, or null

  const float* from_x;                  // [rows, T, 5n], what the input adds to query and gates
  float *hiddens, *cells;               // [rows, T + 1, n]
  float *keys, *values;                 // [rows, K + T, w]; with positions before ELU
  float *query, *attended, *projected;  // [rows, T, n], kept
  float* gates;                         // [rows, T, 4n], kept
  float* weights;                       // [rows, T, K, lanes], kept: of attention

  // The backward pass. Gradients of the states come in. At the end, the gradients of the initial
  // state are in the places of that state.
  float *d_hiddens, *d_cells;  // [rows, T + 1, n]
  float *d_keys, *d_values;    // [rows, K + T, w]
  float* d_from_x;             // [rows, T, 5n]
  float* d_projected;          // [rows, T, n]
  float* d_pair;               // [rows, T, 2n]
  float* d_positions;          // [tiles, K, 2n], zero at first
};

// One pass of a layer. `run` computes a tile of at most kTileRows rows; tiles are independent.
class TrainingPass {
 public:
  virtual ~TrainingPass() = default;
  virtual void run(int first_row, int count) const = 0;
};

}  // namespace larnn
