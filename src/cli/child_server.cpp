#include "cli/child_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/file.hpp"

namespace resultsync::cli {
namespace {

constexpr std::chrono::seconds kReadyWithin{20};

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_server(const char* program, const char* config_file, int log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execl(program, "resultsync", "serve", "--config", config_file, static_cast<char*>(nullptr));
  ::_exit(127);
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<std::unique_ptr<ChildServer>> ChildServer::start(const std::string& config_file, const std::string& data_dir,
                                                        const std::string& log_file) {
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return std::unexpected(runtime::file_error(errno, "write", log_file));
  const runtime::File log_owner(log, log_file);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(runtime::file_error(errno, "start", "a server"));
  if (pid == 0) become_server("/proc/self/exe", config_file.c_str(), log, parent);

  std::unique_ptr<ChildServer> child(new ChildServer(pid));
  const auto deadline = std::chrono::steady_clock::now() + kReadyWithin;
  while (std::chrono::steady_clock::now() < deadline) {
    if (child->ended()) {
      const auto said = runtime::read_file(log_file);
      return fail("server_failed", fmt::format("the server ended with code {}", *child->exit_code_),
                  said ? said->substr(said->size() - std::min<std::size_t>(said->size(), 2000)) : std::string());
    }
    if (auto file = read_server_file(data_dir); file && file->pid == pid) {
      child->addresses_ = std::move(*file);
      return child;
    }
    const timespec pause{.tv_sec = 0,
                         .tv_nsec = 20'000'000};  // its file appears when it is ready; nothing tells us sooner
    ::nanosleep(&pause, nullptr);
  }
  return fail("timeout", fmt::format("the server was not ready within {} s", kReadyWithin.count()),
              "its log: " + log_file);
}

ChildServer::~ChildServer() {
  if (ended()) return;
  ::kill(pid_, SIGKILL);
  wait();
}

std::optional<int> ChildServer::ended() {
  int status = 0;
  if (!exit_code_ && ::waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = exit_code_of(status);
  return exit_code_;
}

int ChildServer::stop() {
  if (!ended()) ::kill(pid_, SIGTERM);
  return wait();
}

int ChildServer::wait() {
  int status = 0;
  while (!exit_code_) {
    if (::waitpid(pid_, &status, 0) == pid_) exit_code_ = exit_code_of(status);
  }
  return *exit_code_;
}

}  // namespace resultsync::cli
