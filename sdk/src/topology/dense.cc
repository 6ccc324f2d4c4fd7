#include "topology/dense.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>

#include "topology/closed_form.h"

namespace duet::topology {

Constants dense_constants(int workers, const std::vector<Edge>& edges) {
  // With the last worker held at 0 the Laplacian is positive definite; its inverse, centred, is L⁺. Taking χ₁
  // as the largest eigenvalue of L⁺ rather than 1/λ₂(L) keeps its relative accuracy when the graph is nearly
  // falling apart.
  const Eigen::Index n = workers;
  Eigen::MatrixXd grounded = Eigen::MatrixXd::Zero(n - 1, n - 1);
  for (const Edge& edge : edges) {
    for (const int end : {edge.a, edge.b}) {
      if (end < n - 1) grounded(end, end) += edge.rate;
    }
    if (edge.a < n - 1 && edge.b < n - 1) {
      grounded(edge.a, edge.b) -= edge.rate;
      grounded(edge.b, edge.a) -= edge.rate;
    }
  }
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Zero(n, n);
  inverse.topLeftCorner(n - 1, n - 1) =
      Eigen::LLT<Eigen::MatrixXd>(grounded).solve(Eigen::MatrixXd::Identity(n - 1, n - 1));

  double chi2 = 0.0;
  for (const Edge& edge : edges) {
    const double resistance =
        inverse(edge.a, edge.a) + inverse(edge.b, edge.b) - inverse(edge.a, edge.b) - inverse(edge.b, edge.a);
    chi2 = std::max(chi2, 0.5 * resistance);
  }
  const Eigen::VectorXd row_means = inverse.rowwise().mean();
  const double mean = row_means.mean();
  inverse.colwise() -= row_means;
  inverse.rowwise() -= row_means.transpose();
  inverse.array() += mean;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(inverse, Eigen::EigenvaluesOnly);
  return make_constants(solver.eigenvalues()(n - 1), chi2);
}

}  // namespace duet::topology
