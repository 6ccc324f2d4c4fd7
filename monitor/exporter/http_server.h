#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace duet::exporter {

struct Reply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;

  static Reply html(std::string body) { return {200, "text/html; charset=utf-8", std::move(body)}; }
  static Reply json(std::string body) { return {200, "application/json", std::move(body)}; }
  static Reply text(int status, std::string body) {
    return {status, "text/plain; charset=utf-8", std::move(body)};
  }
};

/// A small HTTP server for GET requests without a body. Whatever arrives, it costs bounded memory, a bounded
/// number of descriptors and no other thread's time: connections are bounded in bytes and in time
/// (bounded_stream.h), closed after one answer, and served by a bounded number of threads.
class HttpServer {
 public:
  using Handler = std::function<Reply()>;  ///< from several threads at a time; what it throws becomes a 500
  /// port 0: any. Throws std::runtime_error when it cannot listen there.
  HttpServer(const std::string& bind, int port, const std::map<std::string, Handler>& pages);
  ~HttpServer();  ///< cuts off connections under way; waits for pages that are being made
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::exporter
