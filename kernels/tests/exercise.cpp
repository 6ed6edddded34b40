// Runs the loops without onnxruntime, for sanitizers and for counts of instructions.
//
//   exercise laws LEVEL                  a row has the same bits in any cuts and any batch
//   exercise answers LEVEL               compares with a plain loop in double precision
//   exercise gradients LEVEL             compares training's derivatives with differences
//   exercise texts                       gives damaged texts to the reader of numbers
//   exercise levels                      lists the levels that this processor supports
//   exercise count LEVEL ROWS STEPS      runs once, so that its instructions can be counted
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gradients.h"
#include "layer.h"
#include "network.h"
#include "reference.h"
#include "texts.h"

namespace {

// States and outputs of a batch. Each array is exactly as large as necessary.
struct Rows {
  Rows(int count, int n, int k)
      : hidden(static_cast<size_t>(count) * n),
        cell(hidden),
        keys(hidden.size() * k),
        values(keys),
        filled(count) {}

  Floats hidden, cell, keys, values;
  std::vector<int64_t> filled;
};

// What a test must know of a layer.
struct Kind {
  int inputs, n, window_size;  // window_size is 0 for a layer without a queue
};

Floats advance(const larnn::Layer& layer, Kind kind, const Floats& x,
               const std::vector<int64_t>& lengths, Rows& state) {
  const int rows = static_cast<int>(lengths.size()), n = kind.n;
  const int steps = static_cast<int>(x.size()) / kind.inputs / rows;
  Rows next(rows, n, kind.window_size);
  Floats hiddens(static_cast<size_t>(rows) * steps * n);
  std::vector<int64_t> each(rows);
  std::iota(each.begin(), each.end(), 0);
  const larnn::Batch batch{rows,
                           steps,
                           x.data(),
                           lengths.data(),
                           each.data(),
                           each.data(),
                           state.hidden.data(),
                           state.cell.data(),
                           state.keys.data(),
                           state.values.data(),
                           state.filled.data(),
                           hiddens.data(),
                           next.hidden.data(),
                           next.cell.data(),
                           next.keys.data(),
                           next.values.data(),
                           next.filled.data()};
  std::vector<int> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return lengths[a] > lengths[b]; });
  for (int row = 0; row < rows; row += larnn::kTileRows)
    layer.run(batch, order.data() + row, std::min(larnn::kTileRows, rows - row));
  state = std::move(next);
  return hiddens;
}

constexpr double kBound = 2e-6;

void expect_same(const float* a, const float* b, size_t count, const char* what) {
  if (!std::equal(a, a + count, b)) throw std::runtime_error(what);
}

// Compares rows of different lengths in one batch with each row alone and in pieces.
void laws(const larnn::Layer& layer, Kind kind) {
  const int n = kind.n, inputs = kind.inputs, steps = 2 * kind.window_size + 3;
  for (int rows : {1, 3, 8, 11}) {
    const Floats x = random_floats(static_cast<size_t>(rows) * steps * inputs, 99, 1.0f);
    std::vector<int64_t> lengths(rows);
    for (int row = 0; row < rows; ++row) lengths[row] = row == 0 ? steps : row * 5 % (steps + 1);
    Rows together(rows, n, kind.window_size);
    const Floats hiddens = advance(layer, kind, x, lengths, together);
    for (int row = 0; row < rows; ++row) {
      Rows alone(1, n, kind.window_size);
      const float* from = x.data() + static_cast<size_t>(row) * steps * inputs;
      const float* found = hiddens.data() + static_cast<size_t>(row) * steps * n;
      for (int64_t t = 0, piece = 1; t < lengths[row]; t += piece, piece = piece % 4 + 1) {
        if (piece > lengths[row] - t) piece = lengths[row] - t;
        const Floats part(from + t * inputs, from + (t + piece) * inputs);
        const Floats out = advance(layer, kind, part, {piece}, alone);
        expect_same(out.data(), found + t * n, out.size(), "hidden states differ");
      }
      const size_t queue = static_cast<size_t>(kind.window_size) * n;
      expect_same(alone.hidden.data(), &together.hidden[row * size_t(n)], n, "hidden differs");
      expect_same(alone.cell.data(), &together.cell[row * size_t(n)], n, "cell differs");
      expect_same(alone.keys.data(), together.keys.data() + row * queue, queue, "keys differ");
      expect_same(alone.values.data(), together.values.data() + row * queue, queue,
                  "values differ");
      if (alone.filled[0] != together.filled[row]) throw std::runtime_error("filled differs");
    }
  }
}

// Compares rows from an empty state with double precision, relative to max(1, |value|).
template <typename Reference>
void answers(const larnn::Layer& layer, Kind kind, const Reference& beginning) {
  const int n = kind.n, steps = 2 * kind.window_size + 3, rows = 9;
  const Floats x = random_floats(static_cast<size_t>(rows) * steps * kind.inputs, 99, 1.0f);
  Rows state(rows, n, kind.window_size);
  const Floats hiddens = advance(layer, kind, x, std::vector<int64_t>(rows, steps), state);
  double error = 0;
  const float* input = x.data();
  const float* found = hiddens.data();
  for (int row = 0; row < rows; ++row) {
    Reference reference = beginning;
    for (int t = 0; t < steps; ++t, input += kind.inputs, found += n) {
      const std::vector<double>& expected = reference.step(input);
      for (int i = 0; i < n; ++i) {
        const double off = std::abs(found[i] - expected[i]);
        error = std::max(error, off / std::max(1.0, std::abs(expected[i])));
      }
    }
  }
  std::printf("%d inputs, n%d k%d: %.1e\n", kind.inputs, n, kind.window_size, error);
  if (!(error < kBound)) throw std::runtime_error("too far from double precision");
}

void larnns(const larnn::Level& level, const std::string& what) {
  for (const Sizes& sizes : {Sizes{9, 9, 3, larnn::Norm::kLayer},
                             {8, 2, 1, larnn::Norm::kNone},
                             {81, 27, 38, larnn::Norm::kAffine},
                             {64, 8, 16, larnn::Norm::kNone},
                             {40, 20, 5, larnn::Norm::kLayer},
                             {80, 40, 3, larnn::Norm::kAffine},
                             {33, 1, 4, larnn::Norm::kNone}}) {
    const Network network(sizes);
    const auto layer = level.make_larnn(network.p);
    const Kind kind{sizes.n, sizes.n, sizes.window_size};
    if (what == "laws") laws(*layer, kind);
    if (what == "answers") answers(*layer, kind, Reference(network.p));
    if (what == "gradients") gradients(level, sizes);
  }
}

void lstms(const larnn::Level& level, const std::string& what) {
  for (const LstmSizes& sizes : {LstmSizes{9, 96}, {96, 96}, {1, 1}, {5, 9}, {33, 20}}) {
    const LstmNetwork network(sizes);
    const auto layer = level.make_lstm(network.p);
    const Kind kind{sizes.inputs, sizes.n, 0};
    if (what == "laws") laws(*layer, kind);
    if (what == "answers") answers(*layer, kind, LstmReference(network.p));
  }
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string command = count > 1 ? arguments[1] : "";
  if (count > 2) setenv("LARNN_KERNELS_LEVEL", arguments[2], 1);
  if (command == "texts") return texts(0), 0;
  if (command == "levels") return std::puts(larnn::levels_here().c_str()) < 0;
  const larnn::Level& level = larnn::choose_level();
  if (command == "laws" || command == "answers" || command == "gradients") {
    larnns(level, command);
    lstms(level, command);
  } else if (command == "count" && count > 4) {
    const Network network({96, 12, 16, larnn::Norm::kAffine});
    const auto layer = level.make_larnn(network.p);
    const int rows = std::stoi(arguments[3]), steps = std::stoi(arguments[4]);
    Rows state(rows, 96, 16);
    advance(*layer, {96, 96, 16}, random_floats(size_t(rows) * steps * 96, 1, 1.0f),
            std::vector<int64_t>(rows, steps), state);
  } else {
    std::fprintf(
        stderr,
        "exercise laws | answers | gradients LEVEL; levels; texts; count LEVEL ROWS STEPS\n");
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
