// One LARNN layer's loop over time, compiled once for each level of vector instructions.
//
// The rows of a tile go through a step together, so that a weight is loaded once for all of them.
// What the input adds to query and gates does not depend on the state: it is computed for many
// steps at once.
#include <cmath>

#include "attention.h"
#include "functions.h"
#include "layer.h"
#include "norm.h"
#include "product.h"
#include "queue.h"
#include "tile.h"
#include "training.h"

#define LARNN_STRING(name) #name
#define LARNN_NAME(name) LARNN_STRING(name)

namespace larnn::LARNN_LEVEL {
namespace {

class TimeLoop final : public Layer {
 public:
  explicit TimeLoop(const Parameters& p)
      : n_(p.n),
        k_(p.window_size),
        activate_(p.activate),
        query_scale_(kLog2E * std::sqrt(static_cast<float>(p.heads) / static_cast<float>(p.n))),
        from_x_(p.n, p.query_x, p.n, p.gates_x, 4 * p.n),
        from_hidden_(p.n, p.query_hidden, p.n, p.gates_recurrent, 4 * p.n),
        from_attended_(p.n, p.gates_recurrent + size_t{4} * p.n * p.n, 4 * p.n),
        output_(p.n, p.output, p.n),
        pair_(p.n, p.pair, 2 * p.n),
        x_bias_(padded(5 * p.n)),
        output_bias_(padded(p.n)),
        pair_bias_(padded(2 * p.n)),
        attend_(p.n, p.heads),
        attention_norm_(p.norm == Norm::kLayer ? p.norm : Norm::kNone, p.attention, p.n, p.epsilon),
        cell_norm_(p.norm, p.cell, p.n, p.epsilon),
        hidden_norm_(p.norm, p.hidden, p.n, p.epsilon),
        key_norm_(p.activate ? p.norm : Norm::kNone, p.key, p.n, p.epsilon),
        value_norm_(p.activate ? p.norm : Norm::kNone, p.value, p.n, p.epsilon) {
    copy(x_bias_.data(), p.query_bias, n_);
    copy(x_bias_.data() + n_, p.gates_bias, 4 * n_);
    copy(output_bias_.data(), p.output_bias, n_);
    copy(pair_bias_.data(), p.pair_bias, 2 * n_);
  }

  void run(const Batch& batch, const int* rows, int count) const override {
    Tile tile(n_, k_, attend_.scores_size(k_));
    int active = 0;
    for (int i = 0; i < count; ++i) {
      tile.queues[i] = Queue(batch, rows[i], n_, k_, tile.ring(i));
      copy(tile.hidden[i], batch.hidden + batch.from[rows[i]] * n_, n_);
      copy(tile.cell[i], batch.cell + batch.from[rows[i]] * n_, n_);
      if (batch.lengths[rows[i]] > 0) active = i + 1;
    }
    for (int i = active; i < count; ++i) finish(batch, rows[i], i, tile);
    for (int t = 0; active > 0;) {
      const int shortest = static_cast<int>(batch.lengths[rows[active - 1]]) - t;
      const int steps = shortest < kBlockRows / active ? shortest : kBlockRows / active;
      project_inputs(batch, rows, active, t, steps, tile);
      for (int s = 0; s < steps; ++s) {
        step(active, {tile.from_x[s * active], tile.from_x.stride}, tile);
        for (int i = 0; i < active; ++i)
          copy(batch.hiddens + step_offset(batch, rows[i], t + s), tile.hidden[i], n_);
      }
      t += steps;
      for (; active > 0 && batch.lengths[rows[active - 1]] == t; --active)
        finish(batch, rows[active - 1], active - 1, tile);
    }
  }

 private:
  size_t step_offset(const Batch& batch, int row, int t) const {
    return (static_cast<size_t>(row) * batch.steps + t) * n_;
  }

  void project_inputs(const Batch& batch, const int* rows, int active, int t, int steps,
                      Tile& tile) const {
    for (int s = 0; s < steps; ++s)
      for (int i = 0; i < active; ++i)
        copy(tile.x[s * active + i], batch.x + step_offset(batch, rows[i], t + s), n_);
    multiply(from_x_, steps * active, tile.x.rows(), {x_bias_.data(), 0}, tile.from_x.data,
             tile.from_x.stride);
  }

  void step(int active, Rows from_x, Tile& tile) const {
    const Lines& sums = tile.sums;  // of query and gates
    multiply(from_hidden_, active, tile.hidden.rows(), from_x, sums.data, sums.stride);
    for (int i = 0; i < active; ++i) attend(i, tile);
    multiply(output_, active, tile.attended.rows(), {output_bias_.data(), 0}, tile.projected.data,
             tile.projected.stride);
    for (int i = 0; i < active; ++i) {
      float* projected = tile.projected[i];
      attention_norm_([&](int at) { return elu(load(projected + at)); }, projected);
    }
    const Rows gates{sums.data + n_, sums.stride};
    multiply(from_attended_, active, tile.projected.rows(), gates, sums.data + n_, sums.stride);
    for (int i = 0; i < active; ++i) move(i, tile);
    multiply(pair_, active, tile.cell.rows(), {pair_bias_.data(), 0}, tile.pair.data,
             tile.pair.stride);
    for (int i = 0; i < active; ++i) {
      Queue& queue = tile.queues[i];
      enter(tile.pair[i], key_norm_, queue.key());
      enter(tile.pair[i] + n_, value_norm_, queue.value());
      queue.advance();
    }
  }

  void attend(int row, Tile& tile) const {
    const float* sums = tile.sums[row];
    float* query = tile.query[row];
    each(n_, [&](int at) { return elu(load(sums + at)) * query_scale_; }, query);
    const Queue& queue = tile.queues[row];
    attend_(query, queue.older(), queue.newer(), tile.scores, tile.attended[row]);
  }

  // The gates: next cell and hidden state.
  void move(int row, Tile& tile) const {
    const float *i = tile.sums[row] + n_, *f = i + n_, *o = f + n_, *g = o + n_;
    float *cell = tile.cell[row], *hidden = tile.hidden[row];
    cell_norm_(
        [&](int at) {
          return sigmoid_times(load(f + at), load(cell + at)) +
                 sigmoid_tanh(load(i + at), load(g + at));
        },
        cell);
    hidden_norm_([&](int at) { return sigmoid_times(load(o + at), elu(load(cell + at))); }, hidden);
  }

  // A key or a value into the queue.
  void enter(const float* projected, const Normalisation& norm, float* to) const {
    if (!activate_) return copy(to, projected, n_);
    norm([&](int at) { return elu(load(projected + at)); }, to);
  }

  void finish(const Batch& batch, int row, int i, Tile& tile) const {
    const int64_t from = batch.from[row], to = batch.to[row];
    copy(batch.next_hidden + to * n_, tile.hidden[i], n_);
    copy(batch.next_cell + to * n_, tile.cell[i], n_);
    tile.queues[i].finish();
    const int64_t filled = batch.filled[from] + batch.lengths[row];
    batch.next_filled[to] = filled < k_ ? filled : k_;
    std::memset(batch.hiddens + step_offset(batch, row, static_cast<int>(batch.lengths[row])), 0,
                sizeof(float) * n_ * (batch.steps - batch.lengths[row]));
  }

  int n_, k_;
  bool activate_;
  float query_scale_;
  Matrix from_x_, from_hidden_, from_attended_, output_, pair_;
  Buffer x_bias_, output_bias_, pair_bias_;
  Attention attend_;
  Normalisation attention_norm_, cell_norm_, hidden_norm_, key_norm_, value_norm_;
};

bool runs_here() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

std::unique_ptr<Layer> make_layer(const Parameters& parameters) {
  return std::unique_ptr<Layer>(new TimeLoop(parameters));
}

}  // namespace

std::unique_ptr<TrainingPass> make_pass(const Training& training, bool back);

extern const Level level;
const Level level = {LARNN_NAME(LARNN_LEVEL), kLanes, runs_here, make_layer, make_pass};

}  // namespace larnn::LARNN_LEVEL
