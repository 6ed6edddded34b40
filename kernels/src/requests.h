// Requests of one turn of the service's event loop, each sent like the last one of its connection.
#pragma once

#include <cstdint>

namespace larnn {

// The head that a connection sends with each request, but for the digits of its Content-Length.
struct Head {
  const char* before;
  int64_t before_size;
  const char* after;
  int64_t after_size;
  const char* npy;  // the header of an npy file of one sequence; none: JSON
  int64_t npy_size;
  int64_t steps, channels;  // of that file
};

struct Request {
  const char* data;
  int64_t size;
  const Head* head;
};

// What is in a request: one sequence, and where the body goes on before and behind its numbers.
struct Found {
  int64_t steps = 0, channels = 0;  // no steps: it is not plainly right
  int64_t first = 0;                // of its values
  int64_t body = 0, before = 0, behind = 0;
};

// Reads the sequence to values, of which there is room for `most`. True where the request has that
// head and one sequence of finite numbers; false says not why.
bool read_request(const Request& request, float* values, int64_t most, Found& found);

}  // namespace larnn
