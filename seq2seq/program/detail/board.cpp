// `weft board`: a page that follows runs, and what it asks for, for programs on this machine alone.
// A web page that the user opens elsewhere may send requests here too. It cannot read the answers
// unless its own name is made to mean this machine; those requests have that name for a host.
#include <httplib.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/board_data.h>
#include <weft/seq2seq/program/detail/board_page.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/utf8.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

namespace weft {
namespace {

constexpr const char* kAddress = "127.0.0.1";
constexpr size_t kMostRuns = 32, kThreads = 4, kMostBody = 1024;
constexpr time_t kPatience = 2;  // seconds that a slow reader or writer has
constexpr std::chrono::milliseconds kSignalEvery{100};

const httplib::Headers kHeaders{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'nonce-page'; style-src 'unsafe-inline'; img-src data:; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"}};

// Whether the one host that a request names is this machine, at any port: it may be forwarded.
bool is_for_this_machine(const httplib::Request& request) {
  if (request.get_header_value_count("Host") != 1) return false;
  const std::string host = request.get_header_value("Host");
  const std::string name = host.substr(0, host.find(':'));
  return name == kAddress || name == "localhost";
}

void refuse(httplib::Response& response, int status, const char* why) {
  response.status = status;
  response.set_content(std::string(why) + "\n", "text/plain");
}

std::optional<size_t> run_asked_for(const httplib::Request& request, size_t runs) {
  const std::string text = request.get_param_value("run");
  size_t run = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), run);
  if (error != std::errc() || end != text.data() + text.size() || run >= runs) return {};
  return run;
}

class Board {
 public:
  explicit Board(const BoardOptions& options) : runs_(options.model_dirs) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_default_headers(kHeaders);
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(kPatience);
    server_.set_read_timeout(kPatience);
    server_.set_write_timeout(kPatience);
    server_.set_payload_max_length(kMostBody);
    // The library's own would let another program share the port.
    server_.set_socket_options([](int socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    answer();
  }

  // The port.
  int bind(int64_t port) {
    errno = 0;
    const bool any = port == 0;
    const int bound = any ? server_.bind_to_any_port(kAddress)
                      : server_.bind_to_port(kAddress, static_cast<int>(port))
                          ? static_cast<int>(port)
                          : -1;
    check(bound > 0, "board: cannot listen at {}, port {}: {}; --port 0 takes a free one", kAddress,
          port, std::strerror(errno));
    return bound;
  }

  // Until a signal comes, in an InterruptScope.
  void serve() {
    std::atomic<bool> ended = false, well = false;
    std::thread serving([&] {
      well = server_.listen_after_bind();
      ended = true;
    });
    while (!ended) {
      std::this_thread::sleep_for(kSignalEvery);
      if (interrupting_signal() != 0) server_.stop();  // again, if it had not begun
    }
    serving.join();
    check(interrupting_signal() != 0 || well, "board: the connection to the network broke");
  }

 private:
  using Handled = httplib::Server::HandlerResponse;

  void answer() {
    server_.set_pre_routing_handler([](const auto& request, auto& response) {
      if (!is_for_this_machine(request)) {
        refuse(response, 403, "the host must be 127.0.0.1 or localhost");
      } else if (request.method != "GET") {
        response.set_header("Allow", "GET");
        refuse(response, 405, "only GET is answered");
      } else {
        return Handled::Unhandled;
      }
      return Handled::Handled;
    });
    server_.set_exception_handler([](const auto&, auto& response, auto) {
      refuse(response, 500, "this cannot be answered");
    });
    server_.Get("/", [](const auto&, auto& response) {
      const std::string_view page = board_page();
      response.set_content(page.data(), page.size(), "text/html; charset=utf-8");
    });
    server_.Get("/runs", [this](const auto&, auto& response) {
      response.set_content(names(), "application/json");
    });
    server_.Get("/data", [this](const auto& request, auto& response) { data(request, response); });
  }

  std::string names() const {
    std::vector<std::string> names;
    for (const std::string& run : runs_) names.push_back(encode_utf8(decode_utf8(run)));
    return to_json_line({{"runs", names}});
  }

  void data(const httplib::Request& request, httplib::Response& response) const {
    const std::optional<size_t> run = run_asked_for(request, runs_.size());
    if (!run) return refuse(response, 404, "there is no such run");
    const auto seen = [&](const char* what) { return request.get_param_value(what); };
    response.set_content(board_data(runs_[*run], {.metrics = seen("metrics"),
                                                  .samples = seen("samples"),
                                                  .film = seen("film"),
                                                  .settings = seen("settings"),
                                                  .summary = seen("summary")}),
                         "application/json");
  }

  httplib::Server server_;
  const std::vector<std::string> runs_;
};

}  // namespace

void board_command(const BoardOptions& options) {
  check(options.model_dirs.size() <= kMostRuns, "board: shows at most {} runs; got {}", kMostRuns,
        options.model_dirs.size());
  std::error_code ignored;
  for (const std::string& run : options.model_dirs) {
    const auto status = std::filesystem::status(run, ignored);
    check(!std::filesystem::exists(status) || std::filesystem::is_directory(status),
          "board: {} is no directory", run);
    if (!std::filesystem::exists(status)) warn("weft: board: waiting for " + run);
  }
  const InterruptScope scope;
  Board board(options);
  print(fmt::format("http://{}:{}/\n", kAddress, board.bind(options.port)));
  board.serve();
}

}  // namespace weft
