// The loop without onnxruntime: for sanitizers, for counts of instructions.
//
//   exercise laws LEVEL                  any cut and any company give a row the same bits
//   exercise answers LEVEL               what a plain loop in double precision gives
//   exercise gradients LEVEL             training's derivative is what a small difference gives
//   exercise texts                       no text makes the readers of numbers and of requests, and
//                                        no room the writer of answers, leave its memory
//   exercise levels                      those that this processor runs
//   exercise count LEVEL ROWS STEPS      one run, to count its instructions
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "answers.h"
#include "gradients.h"
#include "layer.h"
#include "network.h"
#include "numbers.h"
#include "reference.h"
#include "requests.h"

namespace {

// States and outputs of a batch, each array exactly as large as it must be.
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

Floats advance(const larnn::Layer& layer, const Network& network, const Floats& x,
               const std::vector<int64_t>& lengths, Rows& state) {
  const int rows = static_cast<int>(lengths.size()), n = network.p.n;
  Rows next(rows, n, network.p.window_size);
  Floats hiddens(x.size());
  std::vector<int64_t> each(rows);
  std::iota(each.begin(), each.end(), 0);
  const larnn::Batch batch{rows,
                           static_cast<int>(x.size()) / n / rows,
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
  if (std::memcmp(a, b, sizeof(float) * count) != 0) throw std::runtime_error(what);
}

// Rows of different lengths together, against each alone and in pieces.
void laws(const larnn::Level& level, Sizes sizes) {
  const Network network(sizes);
  const auto layer = level.make_layer(network.p);
  const int n = sizes.n, steps = 2 * sizes.window_size + 3;
  for (int rows : {1, 3, 8, 11}) {
    const Floats x = random_floats(static_cast<size_t>(rows) * steps * n, 99, 1.0f);
    std::vector<int64_t> lengths(rows);
    for (int row = 0; row < rows; ++row) lengths[row] = row == 0 ? steps : row * 5 % (steps + 1);
    Rows together(rows, n, sizes.window_size);
    const Floats hiddens = advance(*layer, network, x, lengths, together);
    for (int row = 0; row < rows; ++row) {
      Rows alone(1, n, sizes.window_size);
      const float* from = x.data() + static_cast<size_t>(row) * steps * n;
      const float* found = hiddens.data() + static_cast<size_t>(row) * steps * n;
      for (int64_t t = 0, piece = 1; t < lengths[row]; t += piece, piece = piece % 4 + 1) {
        if (piece > lengths[row] - t) piece = lengths[row] - t;
        const Floats part(from + t * n, from + (t + piece) * n);
        const Floats out = advance(*layer, network, part, {piece}, alone);
        expect_same(out.data(), found + t * n, out.size(), "hidden states differ");
      }
      const size_t queue = static_cast<size_t>(sizes.window_size) * n;
      expect_same(alone.hidden.data(), &together.hidden[row * size_t(n)], n, "hidden differs");
      expect_same(alone.cell.data(), &together.cell[row * size_t(n)], n, "cell differs");
      expect_same(alone.keys.data(), &together.keys[row * queue], queue, "keys differ");
      expect_same(alone.values.data(), &together.values[row * queue], queue, "values differ");
      if (alone.filled[0] != together.filled[row]) throw std::runtime_error("filled differs");
    }
  }
}

// Rows from nothing, against double precision; relative to max(1, |value|).
void answers(const larnn::Level& level, Sizes sizes) {
  const Network network(sizes);
  const int n = sizes.n, steps = 2 * sizes.window_size + 3, rows = 9;
  const Floats x = random_floats(static_cast<size_t>(rows) * steps * n, 99, 1.0f);
  Rows state(rows, n, sizes.window_size);
  const Floats hiddens =
      advance(*level.make_layer(network.p), network, x, std::vector<int64_t>(rows, steps), state);
  double error = 0;
  for (size_t row = 0, at = 0; row < rows; ++row) {
    Reference reference(network.p);
    for (int t = 0; t < steps; ++t, at += n) {
      const std::vector<double>& expected = reference.step(&x[at]);
      for (int i = 0; i < n; ++i) {
        const double off = std::abs(hiddens[at + i] - expected[i]);
        error = std::max(error, off / std::max(1.0, std::abs(expected[i])));
      }
    }
  }
  std::printf("n%d h%d k%d: %.1e\n", n, sizes.heads, sizes.window_size, error);
  if (!(error < kBound)) throw std::runtime_error("too far from double precision");
}

// A text with random damage, in memory that ends where the text does.
std::vector<char> damaged(const std::string& good, std::mt19937& random) {
  const std::string damage = "[[]],,..--+eE0159 x\"";
  std::vector<char> text(good.begin(), good.end() - static_cast<int>(random() % 3));
  for (auto hits = random() % 4; hits > 0; --hits) {
    const auto place = text.begin() + static_cast<int>(random() % text.size());
    if (random() % 3 == 0)
      text.erase(place);
    else
      *place = damage[random() % damage.size()];
  }
  text.shrink_to_fit();
  return text;
}

void numbers(std::mt19937& random) {
  const std::string good =
      R"([[[1, -2.5e-3], [0.1257302165031433, 1E5]], [[-0, 123456789012345678]]] )";
  int taken = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::vector<char> text = damaged(good, random);
    Floats values(random() % 9);
    std::vector<int64_t> steps(random() % 4);
    const char* end = text.data() + text.size();
    larnn::Sequences found;
    const larnn::Room room{values.data(), values.size(), steps.data(), steps.size()};
    if (!larnn::read_sequences(text.data(), end, room, found)) continue;
    ++taken;
    const auto rows =
        std::accumulate(steps.begin(), steps.begin() + int64_t(found.count), int64_t{});
    if (found.end > end || size_t(rows) * found.width > values.size())
      throw std::runtime_error("more than there is");
  }
  if (taken == 0) throw std::runtime_error("no text was taken");
}

void requests(std::mt19937& random) {
  const std::string before = "POST / HTTP/1.1\r\ncontent-length: ", after = "\r\n\r\n",
                    npy = "NPY\n";
  const std::string json =
      R"({"model": "m", "sequences": [[[1, 2.5], [3e1, -4]]], "logits": true})";
  const std::string file = npy + std::string("\0\0\x80\x3f\0\0\0\x40", 8);
  int taken[2] = {0, 0};
  for (int round = 0; round < 50'000; ++round) {
    const bool binary = random() % 2 == 0;
    const std::string& body = binary ? file : json;
    std::string good = before;
    good.append(std::to_string(body.size())).append(after).append(body);
    const std::vector<char> text =
        random() % 8 == 0 ? std::vector<char>(good.begin(), good.end()) : damaged(good, random);
    const larnn::Head head{before.data(),
                           int64_t(before.size()),
                           after.data(),
                           int64_t(after.size()),
                           binary ? npy.data() : nullptr,
                           int64_t(npy.size()),
                           1,
                           2};
    Floats values(random() % 6);
    larnn::Found found;
    const larnn::Request request{text.data(), int64_t(text.size()), &head};
    if (!larnn::read_request(request, values.data(), int64_t(values.size()), found)) continue;
    ++taken[binary];
    const int64_t size = int64_t(text.size()) - found.body;
    if (found.steps * found.channels > int64_t(values.size()) || found.before > size ||
        found.behind > size || size < 0)
      throw std::runtime_error("more than there is");
  }
  if (taken[0] == 0 || taken[1] == 0) throw std::runtime_error("no request was taken");
}

void writing(std::mt19937& random) {
  const char* labels[] = {"\"A\"", "\"BB\""};
  const char* frame[] = {"HEAD ", "\r\n\r\n", "{", "}"};
  const uint8_t with_logits[] = {0, 1};
  int whole = 0;
  for (int round = 0; round < 50'000; ++round) {
    Floats logits(4);
    for (float& logit : logits) {
      const auto bits = static_cast<uint32_t>(random());
      std::memcpy(&logit, &bits, sizeof bits);
      if (!std::isfinite(logit)) logit = 0;
    }
    std::vector<char> text(random() % 400);
    std::vector<int64_t> ends(4);
    const int64_t size = larnn_write_answers(2, 2, logits.data(), labels, frame, with_logits,
                                             text.data(), int64_t(text.size()), ends.data());
    if (size > int64_t(text.size()) || (size > 0 && ends[3] != size))
      throw std::runtime_error("more than there is");
    const std::vector<int64_t> places = {int64_t(random()), 0, 7, 7};
    const int64_t frames =
        larnn_write_predictions(2, 2, logits.data(), labels, places.data(), with_logits,
                                text.data(), int64_t(text.size()), ends.data());
    if (frames > int64_t(text.size()) || (frames > 0 && ends[1] != frames))
      throw std::runtime_error("more than there is");
    whole += size > 0 && frames > 0;
  }
  if (whole == 0) throw std::runtime_error("no answer was written");
}

void texts(unsigned seed) {
  std::mt19937 random(seed);
  numbers(random);
  requests(random);
  writing(random);
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string command = count > 1 ? arguments[1] : "";
  if (count > 2) setenv("LARNN_KERNELS_LEVEL", arguments[2], 1);
  if (command == "texts") return texts(0), 0;
  if (command == "levels") return std::puts(larnn::levels_here().c_str()) < 0;
  const larnn::Level& level = larnn::choose_level();
  if (command == "laws" || command == "answers" || command == "gradients") {
    for (const Sizes& sizes : {Sizes{9, 9, 3, larnn::Norm::kLayer},
                               {8, 2, 1, larnn::Norm::kNone},
                               {81, 27, 38, larnn::Norm::kAffine},
                               {64, 8, 16, larnn::Norm::kNone},
                               {40, 20, 5, larnn::Norm::kLayer},
                               {80, 40, 3, larnn::Norm::kAffine},
                               {33, 1, 4, larnn::Norm::kNone}})
      (command == "laws" ? laws : command == "answers" ? answers : gradients)(level, sizes);
  } else if (command == "count" && count > 4) {
    const Network network({96, 12, 16, larnn::Norm::kAffine});
    const auto layer = level.make_layer(network.p);
    const int rows = std::stoi(arguments[3]), steps = std::stoi(arguments[4]);
    Rows state(rows, 96, 16);
    advance(*layer, network, random_floats(size_t(rows) * steps * 96, 1, 1.0f),
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
