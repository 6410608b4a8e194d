package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-sdn/weft/controller/state"
)

// Store is the durable intent: everything that people asked for, that hosts reported, and that was allocated.
type Store struct {
	cfg    Config
	log    *slog.Logger
	client *clientv3.Client
	// embedded is nil with an external etcd.
	embedded *embedded
	history  *history
	// loadedRevision is where Open began, and loadedLast the newest revision of a key at that time; see past.
	loadedRevision, loadedLast int64
	extending                  sync.Mutex

	// db is the follower's own; others read history.
	db       *state.DB
	requests chan *request
	// hints are the committer's own.
	hints *hints
	// sent is the transaction that the committer waits for; nil while there is none.
	sent atomic.Pointer[sent]
	// left is what transactions could not hold, and the next one is to put right; the committer's own.
	left pending
	// fence is what must hold for transactions to be made; nil with nobody to share etcd with.
	fence atomic.Pointer[fence]
	// full wakes the maintenance when etcd has run out of its quota.
	full chan struct{}

	closing  chan struct{}
	closeAll func()
	running  sync.WaitGroup
}

// Open starts (embedded) or dials (external) etcd, reads everything, and follows it until Close. ctx bounds Open only.
// Its error is one line that names the data directory or the endpoints, and the remedy.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg:      cfg,
		log:      log,
		requests: make(chan *request, maxBatch),
		hints:    newHints(),
		full:     make(chan struct{}, 1),
		closing:  make(chan struct{}),
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.read(ctx); err != nil {
		s.disconnect()
		return nil, err
	}
	run, cancel := context.WithCancel(context.Background())
	s.closeAll = sync.OnceFunc(func() {
		close(s.closing)
		cancel()
		s.running.Wait()
		s.disconnect()
	})
	s.running.Go(func() { s.follow(run) })
	s.running.Go(func() { s.commitAll(run) })
	s.running.Go(func() {
		if pause(run, warmDelay); run.Err() == nil {
			now, _ := s.Snapshot()
			now.Warm()
		}
	})
	if s.embedded != nil {
		s.running.Go(func() { s.maintain(run) })
	}
	return s, nil
}

// warmDelay is when indexes are made that nobody has needed until then: every host waits for a start.
const warmDelay = 2 * time.Second

func (s *Store) connect(ctx context.Context) (err error) {
	if s.cfg.DataDir != "" {
		s.embedded, s.client, err = startEmbedded(ctx, s.cfg, s.log)
	} else {
		s.client, err = dialExternal(ctx, s.cfg, s.log)
	}
	return err
}

// read loads everything.
func (s *Store) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var l *loaded
	var err error
	if s.embedded != nil {
		l, err = loadFrom(ctx, s.client, s.embedded.disk)
	} else {
		l, err = load(ctx, s.client)
	}
	if err == nil && len(l.bad) > 0 {
		if err = l.bad[0]; len(l.bad) > 1 {
			err = fmt.Errorf("%w (and %d more such keys)", err, len(l.bad)-1)
		}
	}
	if err != nil {
		if s.embedded != nil {
			return fmt.Errorf("data directory %s: %w", s.cfg.DataDir, err)
		}
		return fmt.Errorf("etcd at %s: %w", strings.Join(s.cfg.Endpoints, ", "), err)
	}
	s.db, s.loadedRevision, s.loadedLast = l.db, l.revision, l.last
	frozen := l.db.Fork()
	s.history = newHistory(head{l.revision, frozen, frozen.Snapshot(), l.clock}, s.cfg.HistoryChanges)
	return nil
}

// disconnect closes the client first: an etcd server waits for its clients.
func (s *Store) disconnect() {
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Debug("close the etcd client", "err", err)
	}
	if s.embedded != nil {
		s.embedded.close()
	}
}

// Close ends everything that Open started. Updates under way fail with ErrClosed.
func (s *Store) Close() { s.closeAll() }

// Snapshot is the newest state and its revision.
func (s *Store) Snapshot() (state.Snapshot, int64) {
	now, _ := s.history.now()
	return now.snapshot, now.revision
}

// Epoch makes a number that is higher than every one made before, by any controller on this store: the mastership epoch
// and OpenFlow generation id of this run. It begins with the time in seconds, so that it also rises when somebody starts
// over with an empty store: switches and agents remember the highest one they saw.
func (s *Store) Epoch(ctx context.Context) (uint64, error) {
	for {
		res, err := s.client.Get(ctx, epochKey)
		if err != nil {
			return 0, s.etcdError(err)
		}
		epoch, revision := uint64(time.Now().Unix()), int64(0)
		if len(res.Kvs) > 0 {
			last, err := strconv.ParseUint(string(res.Kvs[0].Value), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("etcd key %q: %w: it must hold a number higher than every epoch that hosts have seen", epochKey, err)
			}
			epoch, revision = max(epoch, last+1), res.Kvs[0].ModRevision
		}
		txn, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(epochKey), "=", revision)).
			Then(clientv3.OpPut(epochKey, strconv.FormatUint(epoch, 10))).
			Commit()
		if err != nil {
			return 0, s.etcdError(err)
		}
		if txn.Succeeded {
			return epoch, nil
		}
	}
}
