#include "dashboard/panels/workers_panel.h"

#include <QHBoxLayout>
#include <QVBoxLayout>
#include <array>

#include "dashboard/panels/table_look.h"

namespace duet::dashboard {

namespace {

/// By text in any of the first three columns, and by state.
class WorkerFilter : public QSortFilterProxyModel {
 public:
  using QSortFilterProxyModel::QSortFilterProxyModel;
  void set_text(const QString& text) {
    text_ = text.trimmed();
    invalidateFilter();
  }
  void set_state(const QString& state) {
    state_ = state;
    invalidateFilter();
  }

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override {
    const auto text = [&](int column) { return sourceModel()->index(row, column, parent).data().toString(); };
    const QString state = text(WorkerModel::kState);
    if (!state_.isEmpty() && !state.startsWith(state_)) return false;
    if (text_.isEmpty()) return true;
    return text(WorkerModel::kRank) == text_ ||
           text(WorkerModel::kHost).contains(text_, Qt::CaseInsensitive) ||
           state.contains(text_, Qt::CaseInsensitive);
  }
  bool lessThan(const QModelIndex& a, const QModelIndex& b) const override {
    const QVariant left = a.data(WorkerModel::kSortRole);
    const QVariant right = b.data(WorkerModel::kSortRole);
    const QPartialOrdering order = QVariant::compare(left, right);
    // Equals stand by rank, whatever the column.
    if (order == QPartialOrdering::Equivalent) return a.row() < b.row();
    return order == QPartialOrdering::Less;
  }

 private:
  QString text_;
  QString state_;
};

}  // namespace

WorkersPanel::WorkersPanel(WorkerModel& model, Selection& selection, QWidget* parent)
    : QWidget(parent),
      selection_(selection),
      filter_(new QLineEdit(this)),
      states_(new QComboBox(this)),
      table_(new QTableView(this)) {
  auto* proxy = new WorkerFilter(this);
  proxy_ = proxy;
  proxy->setSourceModel(&model);
  proxy->setSortRole(WorkerModel::kSortRole);
  proxy->setDynamicSortFilter(true);

  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 4, 4);
  layout->setSpacing(4);
  auto* bar = new QHBoxLayout;
  filter_->setPlaceholderText(tr("Filter: rank, host or state"));
  filter_->setClearButtonEnabled(true);
  filter_->setAccessibleName(tr("Filter workers"));
  states_->addItem(tr("any state"), QString());
  for (const auto state :
       {observer::WorkerState::kRunning, observer::WorkerState::kStraggling, observer::WorkerState::kStalled,
        observer::WorkerState::kGone, observer::WorkerState::kFinished, observer::WorkerState::kExpected}) {
    const QString name = QString::fromLatin1(observer::to_string(state));
    states_->addItem(name, name);
  }
  states_->setAccessibleName(tr("State"));
  bar->addWidget(filter_, 1);
  bar->addWidget(states_);
  layout->addLayout(bar);
  layout->addWidget(table_, 1);

  table_->setModel(proxy);
  table_->setSortingEnabled(true);
  table_->sortByColumn(WorkerModel::kRank, Qt::AscendingOrder);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setAccessibleName(tr("Workers"));
  constexpr std::array<const char*, WorkerModel::kColumns> kWidest{
      "rank 00",      "node1024",  "straggling", "1,000,000", "steps/s 0",
      "pairings/s 0", "waiting 0", "999.9 MB/s", "1.23e−09",  "heard 0"};
  set_table_look(*table_, kWidest, 14);

  connect(filter_, &QLineEdit::textChanged, this, [proxy](const QString& text) { proxy->set_text(text); });
  connect(states_, &QComboBox::currentIndexChanged, this,
          [this, proxy] { proxy->set_state(states_->currentData().toString()); });
  connect(table_->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& current) {
            // Only where somebody chose: that a filter took the row away says nothing.
            if (following_ || !current.isValid() || !table_->hasFocus()) return;
            selection_.focus(proxy_->mapToSource(current).row());
          });
  connect(&selection_, &Selection::focus_changed, this, &WorkersPanel::show_focus);
}

void WorkersPanel::show_focus() {
  following_ = true;
  if (const auto rank = selection_.focused()) {
    const QModelIndex at = proxy_->mapFromSource(proxy_->sourceModel()->index(*rank, 0));
    if (at.isValid()) {
      table_->setCurrentIndex(at);
      table_->scrollTo(at);
    } else {
      table_->clearSelection();
    }
  } else {
    table_->clearSelection();
    table_->setCurrentIndex({});
  }
  following_ = false;
}

}  // namespace duet::dashboard
