// A known head, one sequence as JSON or npy, and the door for Python (service/larnn_service/backend/requests.py).
#include "requests.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "numbers.h"

namespace larnn {
namespace {

using std::string_view;

constexpr string_view kKey = "\"sequences\"";

// Where the body starts, 0 where the head is another or the body is not all that follows.
int64_t body_start(const Request& request) {
  const Head& head = *request.head;
  const string_view data(request.data, request.size);
  const string_view before(head.before, head.before_size), after(head.after, head.after_size);
  if (data.substr(0, before.size()) != before) return 0;
  const char* first = data.data() + before.size();
  const char* last = data.data() + data.size();
  if (first == last || *first < '0' || *first > '9') return 0;
  int64_t size = 0;
  const auto [rest, error] = std::from_chars(first, last, size);
  if (error != std::errc() || string_view(rest, last - rest).substr(0, after.size()) != after)
    return 0;
  const char* body = rest + after.size();
  return last - body == size ? body - data.data() : 0;
}

bool read_npy(string_view body, const Head& head, float* values, int64_t most, Found& found) {
  const string_view npy(head.npy, head.npy_size);
  const int64_t count = head.steps * head.channels;
  if (body.size() != npy.size() + 4 * count || count > most || body.substr(0, npy.size()) != npy)
    return false;
  std::memcpy(values, body.data() + npy.size(), 4 * count);
  if (!std::all_of(values, values + count, [](float value) { return std::isfinite(value); }))
    return false;
  found.steps = head.steps;
  found.channels = head.channels;
  return true;
}

// Like {"sequences": [[[…], …]], …}.
bool read_json(string_view body, float* values, int64_t most, Found& found) {
  const char* value = value_of(body, kKey);
  if (value == nullptr) return false;
  int64_t steps = 0;
  const Room room{values, static_cast<size_t>(most), &steps, 1};
  Sequences sequences;
  const char* end = body.data() + body.size();
  if (!read_sequences(value, end, room, sequences)) return false;
  const string_view behind(sequences.end, end - sequences.end);
  if (may_repeat(behind, kKey)) return false;
  found.steps = steps;
  found.channels = static_cast<int64_t>(sequences.width);
  found.before = value - body.data();
  found.behind = sequences.end - body.data();
  return true;
}

}  // namespace

bool read_request(const Request& request, float* values, int64_t most, Found& found) {
  const int64_t start = body_start(request);
  if (start == 0) return false;
  const string_view body(request.data + start, request.size - start);
  const Head& head = *request.head;
  found.body = start;
  const bool right = head.npy != nullptr ? read_npy(body, head, values, most, found)
                                         : read_json(body, values, most, found);
  if (!right) found = Found();
  return right;
}

}  // namespace larnn

// Reads each request behind the values of those before it. Returns how many values there are.
extern "C" __attribute__((visibility("default"))) int64_t larnn_read_requests(
    int64_t count, const char* const* data, const int64_t* sizes, const larnn::Head* const* heads,
    float* values, int64_t most, larnn::Found* found) {
  int64_t used = 0;
  for (int64_t i = 0; i < count; ++i) {
    found[i] = larnn::Found();
    const larnn::Request request{data[i], sizes[i], heads[i]};
    if (!larnn::read_request(request, values + used, most - used, found[i])) continue;
    found[i].first = used;
    used += found[i].steps * found[i].channels;
  }
  return used;
}
