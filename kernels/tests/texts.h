// Checks that no text makes the reader of numbers leave its memory.
#pragma once

#include <cstdint>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "network.h"
#include "numbers.h"

// A text with random damage, in memory that ends where the text ends.
inline std::vector<char> damaged(const std::string& good, std::mt19937& random) {
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

inline void texts(unsigned seed) {
  const std::string good[] = {
      R"([1, -2.5e-3, 0.1257302165031433, 1E5, -0] )",
      R"( [[1, -2.5e-3], [0.1257302165031433, 1E5]])",
      R"([[[1, -2.5e-3], [0.1257302165031433, 1E5]], [[-0, 123456789012345678]]] )"};
  std::mt19937 random(seed);
  int taken[4] = {0, 0, 0, 0};
  for (int round = 0; round < 150'000; ++round) {
    const std::vector<char> text = damaged(good[round % 3], random);
    Floats values(random() % 9);
    std::vector<int64_t> rows(random() % 4), shape(2);
    const int64_t count =
        larnn_read_numbers(text.data(), int64_t(text.size()), values.data(), int64_t(values.size()),
                           rows.data(), int64_t(rows.size()), shape.data());
    if (count == 0) continue;
    if (count > int64_t(rows.size())) throw std::runtime_error("more sequences than fit");
    ++taken[shape.at(0)];
    const auto total = std::accumulate(rows.begin(), rows.begin() + count, int64_t{});
    if (total * shape[1] > int64_t(values.size()))
      throw std::runtime_error("more numbers than fit");
  }
  for (const int depth : {1, 2, 3})
    if (taken[depth] == 0) throw std::runtime_error("no text of some depth was taken");
}
