#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace duet::exporter {

struct Reply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

/// A small HTTP server for GET requests without a body. Whatever arrives, it costs bounded memory and no
/// other thread's time: requests have time limits and a size limit, connections are closed after one answer,
/// and the number of threads is bounded.
class HttpServer {
 public:
  using Handler = std::function<Reply()>;  ///< from several threads at a time; what it throws becomes a 500
  /// port 0: any. Throws std::runtime_error when it cannot listen there.
  HttpServer(const std::string& bind, int port, std::map<std::string, Handler> pages);
  ~HttpServer();  ///< waits for requests under way, each of which has its limit
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::exporter
