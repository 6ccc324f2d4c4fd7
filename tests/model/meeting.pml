/*
 * The meeting protocol of docs/protocol.md, for spin. Everything that only decides WHOM to meet (budget, hold-off, rates)
 * is left to chance: an idle worker may offer to any neighbour and may decline any offer, so what holds here holds for
 * every policy.
 *
 *   N          workers, on a ring (RING=1) or a path (RING=0)
 *   IDS        meeting ids per worker. ENDLESS=0: each is used once, so a worker makes IDS offers in all.
 *              ENDLESS=1: an id is used again when no message and no worker holds it; runs are infinite.
 *   LOSSES     messages that may be lost      DOUBLES   messages that may arrive twice
 *   CRASHES    workers that may die (0 or 1), at any time; their neighbours are told at any later time
 *   TIMELY     0: every timeout may pass at any time, i.e. messages may be slower than all of them.
 *              1: a timeout passes only when what is waited for cannot come any more.
 *   BELIEFS    1: offers go only to neighbours that are taken to be available, and announcements are modelled.
 *
 * Back-off, TIMELY=1: whoever was declined "busy", or timed out, offers again only when no message is in flight. That is
 * what random back-offs, doubled each time, come to almost surely; without it three that offer in a circle may decline
 * each other for ever (BREAK_BACKOFF).
 *
 * Variants that must be found broken: BREAK_START (blocks are posted before the offerer is known to have heard),
 * BREAK_LATE (a late accept is not answered "withdrawn" but begins a meeting), BREAK_CROSSED (both crossed offers are
 * accepted), BREAK_BACKOFF, BREAK_REPEAT (announcements are not repeated).
 */
#ifndef N
#define N 3
#endif
#ifndef RING
#define RING 1
#endif
#ifndef IDS
#define IDS 2
#endif
#ifndef ENDLESS
#define ENDLESS 0
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef DOUBLES
#define DOUBLES 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef TIMELY
#define TIMELY 0
#endif
#ifndef BELIEFS
#define BELIEFS 0
#endif

#define ROOM 3            /* messages in flight from one worker to another */
#define NOTHING (N * IDS) /* no meeting */

mtype = { AVAILABLE, OFFER, ACCEPT, DECLINE, BUSY, START, WITHDRAWN };
mtype = { IDLE, OFFERING, ACCEPTED, MEETING };

/* Side 0 of a worker is towards the one before it, side 1 towards the one after. */
#define PEER(i, s) (((i) + (s -> 1 : N - 1)) % N)
#define EDGE(i, s) (RING || (s -> (i) < N - 1 : (i) > 0))
#define AT(i, s) (2 * (i) + (s))

chan inbox[2 * N] = [ROOM] of { mtype, byte };

mtype state[N] = IDLE;
byte side[N];               /* outside IDLE: towards whom */
byte meeting[N] = NOTHING;  /* outside IDLE: which */
bool backing_off[N];
bool up[2 * N];             /* an edge, and the peer is not known to be gone */
bool dead[N];
#if BELIEFS
bool available[2 * N];      /* I take the peer to be available */
bool told[2 * N];           /* I believe that the peer takes me to be available */
#endif
#if DOUBLES
byte answered[2 * N];       /* the last offer of the peer that I answered, + 1 */
#endif
#if !ENDLESS
byte used[N];               /* ids */
#endif

byte losses = LOSSES;
byte doubles = DOUBLES;
byte crashes = CRASHES;

/* Ghosts: no worker sees them. */
byte flying[N * IDS + 1];   /* messages in flight, by meeting */
byte all_flying;
byte exchanging[N] = NOTHING; /* the meeting whose blocks a worker posts */
bool accepted[N * IDS];
bool offerer_began[N * IDS];
bool accepter_began[N * IDS];

inline fly(i, s, kind, m) {
  inbox[AT(PEER(i, s), 1 - s)]!kind(m);
  flying[m]++;
  all_flying++
}

inline send(i, s, kind, m) {
  if
  :: dead[PEER(i, s)]
  :: !dead[PEER(i, s)] && nfull(inbox[AT(PEER(i, s), 1 - s)]) -> fly(i, s, kind, m)
#if LOSSES
  :: !dead[PEER(i, s)] && losses > 0 -> losses--
#endif
#if DOUBLES
  :: !dead[PEER(i, s)] && doubles > 0 && len(inbox[AT(PEER(i, s), 1 - s)]) < ROOM - 1 ->
     doubles--;
     fly(i, s, kind, m);
     fly(i, s, kind, m)
#endif
  :: !dead[PEER(i, s)] && full(inbox[AT(PEER(i, s), 1 - s)]) -> assert(!TIMELY) /* one more loss */
  fi
}

inline let_go(i) {
  state[i] = IDLE;
  meeting[i] = NOTHING
}

inline begin(i, s, m) {
  assert(exchanging[i] == NOTHING); /* nobody is in two meetings */
  exchanging[i] = m;
  state[i] = MEETING;
  side[i] = s;
  meeting[i] = m;
  backing_off[i] = false;
#if BELIEFS
  available[AT(i, s)] = true;
  told[AT(i, s)] = true;
#endif
  if
  :: m / IDS == i ->
     assert(accepted[m] && !offerer_began[m]); /* the peer has heard of it; it begins once */
     offerer_began[m] = true
  :: else ->
     assert(offerer_began[m] && !accepter_began[m]); /* and so has the offerer */
     accepter_began[m] = true
  fi;
  /* With timeouts that mean something, the peer is in the same meeting or on its way into it. */
  assert(!TIMELY || dead[PEER(i, s)] || !up[AT(i, s)] || meeting[PEER(i, s)] == m);
  assert(exchanging[PEER(i, s)] == NOTHING || meeting[PEER(i, s)] == exchanging[PEER(i, s)])
}

inline leave(i) {
  exchanging[i] = NOTHING;
  let_go(i)
}

inline answer(i, s, m) {
#if DOUBLES
  answered[AT(i, s)] = m + 1;
#endif
  if
  :: state[i] == IDLE ->
     if
     :: state[i] = ACCEPTED;
        side[i] = s;
        meeting[i] = m;
        accepted[m] = true;
        send(i, s, ACCEPT, m)
#ifdef BREAK_START
        ;
        begin(i, s, m)
#endif
#if !ENDLESS
     :: send(i, s, DECLINE, m) /* no budget, or just met */
#endif
     fi
  :: else ->
     send(i, s, BUSY, m);
#if BELIEFS
     told[AT(i, s)] = false
#endif
  fi
}

inline on_offer(i, s, m) {
#if BELIEFS
  available[AT(i, s)] = true;
#endif
  if
#if DOUBLES
  :: answered[AT(i, s)] == m + 1 /* a duplicate */
  :: answered[AT(i, s)] != m + 1 &&
#else
  ::
#endif
     state[i] == OFFERING && side[i] == s ->
     /* Crossed: the lower rank's stands. */
     if
#ifndef BREAK_CROSSED
     :: i < PEER(i, s)
     :: i > PEER(i, s) ->
#else
     :: true ->
#endif
        let_go(i);
        answer(i, s, m)
     fi
#if DOUBLES
  :: answered[AT(i, s)] != m + 1 &&
#else
  ::
#endif
     state[i] == ACCEPTED && side[i] == s ->
     if
     :: !ENDLESS && m < meeting[i] /* delayed: it has offered again since */
     :: ENDLESS || m > meeting[i] ->
        let_go(i); /* the peer gave up the one that I accepted */
        answer(i, s, m)
     fi
#if DOUBLES
  :: answered[AT(i, s)] != m + 1 &&
#else
  ::
#endif
     (state[i] == IDLE || state[i] == MEETING || side[i] != s) ->
     answer(i, s, m)
  fi
}

inline on_accept(i, s, m) {
  if
  :: state[i] == OFFERING && side[i] == s && meeting[i] == m ->
     begin(i, s, m);
     send(i, s, START, m)
  :: state[i] == MEETING && side[i] == s && meeting[i] == m -> /* a duplicate: perhaps the start was lost */
     send(i, s, START, m)
  :: else ->
#ifdef BREAK_LATE
     begin(i, s, m);
     send(i, s, START, m)
#else
     send(i, s, WITHDRAWN, m)
#endif
  fi
}

inline on_decline(i, s, m, busy) {
  if
  :: state[i] == OFFERING && side[i] == s && meeting[i] == m ->
     let_go(i);
#if BELIEFS
     available[AT(i, s)] = false;
     told[AT(i, s)] = true;
#endif
#ifndef BREAK_BACKOFF
     backing_off[i] = busy
#endif
  :: else
  fi
}

inline on_start(i, s, m) {
  if
  :: state[i] == ACCEPTED && side[i] == s && meeting[i] == m ->
#ifndef BREAK_START
     begin(i, s, m)
#else
     skip
#endif
  :: else
  fi
}

inline on_withdrawn(i, s, m) {
  if
  :: state[i] == ACCEPTED && side[i] == s && meeting[i] == m -> let_go(i)
  :: else
  fi
}

inline receive(i, s) {
  inbox[AT(i, s)]?kind(m);
  flying[m]--;
  all_flying--;
  if
  :: !up[AT(i, s)]
  :: up[AT(i, s)] && kind == OFFER -> on_offer(i, s, m)
  :: up[AT(i, s)] && kind == ACCEPT -> on_accept(i, s, m)
  :: up[AT(i, s)] && kind == DECLINE -> on_decline(i, s, m, false)
  :: up[AT(i, s)] && kind == BUSY -> on_decline(i, s, m, true)
  :: up[AT(i, s)] && kind == START -> on_start(i, s, m)
  :: up[AT(i, s)] && kind == WITHDRAWN -> on_withdrawn(i, s, m)
#if BELIEFS
  :: up[AT(i, s)] && kind == AVAILABLE -> available[AT(i, s)] = true
#endif
  fi
}

/* An id that nothing in the world refers to any more. */
#define HELD(m) (meeting[0] == (m) || meeting[1] == (m) || (N > 2 && meeting[2 % N] == (m)) || \
                 (N > 3 && meeting[3 % N] == (m)) || (N > 4 && meeting[4 % N] == (m)))
#define FREE(m) (flying[m] == 0 && !HELD(m))

#if ENDLESS
#define HAS_ID(i) (FREE((i) * IDS) || FREE((i) * IDS + IDS - 1))
#else
#define HAS_ID(i) (used[i] < IDS)
#endif

inline offer(i, s) {
#if ENDLESS
  m = (FREE(i * IDS) -> i * IDS : i * IDS + IDS - 1);
  accepted[m] = false;
  offerer_began[m] = false;
  accepter_began[m] = false;
#else
  m = i * IDS + used[i];
  used[i]++;
#endif
  backing_off[i] = false;
  state[i] = OFFERING;
  side[i] = s;
  meeting[i] = m;
  send(i, s, OFFER, m)
}

/* A worker that starts something new does not add to a heap of messages that the peer has yet to read. */
#define ROOM_TO(i, s) (!TIMELY || len(inbox[AT(PEER(i, s), 1 - s)]) < ROOM - 1)
#define RESTED(i) (!TIMELY || !backing_off[i] || all_flying == 0)
#if BELIEFS
#define WANTS(i, s) (up[AT(i, s)] && available[AT(i, s)] && ROOM_TO(i, s))
#else
#define WANTS(i, s) (up[AT(i, s)] && ROOM_TO(i, s))
#endif

inline announce(i, s) {
  told[AT(i, s)] = true;
  send(i, s, AVAILABLE, NOTHING)
}

inline peer_gone(i, s) {
  up[AT(i, s)] = false;
  if
  :: state[i] == MEETING && side[i] == s -> leave(i)
  :: state[i] != MEETING && state[i] != IDLE && side[i] == s -> let_go(i)
  :: else
  fi
}

inline drain(box) {
  do
  :: nempty(inbox[box]) ->
     inbox[box]?kind(m);
     flying[m]--;
     all_flying--
  :: empty(inbox[box]) -> break
  od
}

inline die(i) {
  crashes--;
  dead[i] = true;
  drain(AT(i, 0));
  drain(AT(i, 1));
  leave(i)
}

/* What the worker waits for cannot come: nothing about its meeting is in flight (or, TIMELY=0, it is only slow). */
#define OVERDUE(i) (!TIMELY || flying[meeting[i]] == 0)
#define BOTH_BEGAN(m) (offerer_began[m] && accepter_began[m])

proctype Worker(byte i) {
  mtype kind;
  byte m;
#if !ENDLESS || CRASHES
end: /* all offers made, or nobody left to meet */
#endif
  do
  :: atomic { !dead[i] && nempty(inbox[AT(i, 0)]) -> receive(i, 0); m = 0; kind = 0 }
  :: atomic { !dead[i] && nempty(inbox[AT(i, 1)]) -> receive(i, 1); m = 0; kind = 0 }

  :: atomic { state[i] == IDLE && !dead[i] && WANTS(i, 0) && RESTED(i) && HAS_ID(i) -> offer(i, 0); m = 0 }
  :: atomic { state[i] == IDLE && !dead[i] && WANTS(i, 1) && RESTED(i) && HAS_ID(i) -> offer(i, 1); m = 0 }

  :: atomic { state[i] == OFFERING && OVERDUE(i) ->
#if BELIEFS
       available[AT(i, side[i])] = false;
       told[AT(i, side[i])] = false;
#endif
       let_go(i);
       backing_off[i] = true }
  :: atomic { state[i] == ACCEPTED && OVERDUE(i) -> let_go(i) }

  :: atomic { state[i] == MEETING && BOTH_BEGAN(meeting[i]) ->
leave(i) }
progress: skip
  :: atomic { state[i] == MEETING && (!TIMELY || (!BOTH_BEGAN(meeting[i]) && flying[meeting[i]] == 0)) ->
#if BELIEFS
       available[AT(i, side[i])] = false;
       told[AT(i, side[i])] = false;
#endif
       leave(i) }

#if BELIEFS
  :: atomic { state[i] == IDLE && !dead[i] && up[AT(i, 0)] && !told[AT(i, 0)] && !available[AT(i, 0)] &&
              ROOM_TO(i, 0) ->
       announce(i, 0) }
  :: atomic { state[i] == IDLE && !dead[i] && up[AT(i, 1)] && !told[AT(i, 1)] && !available[AT(i, 1)] &&
              ROOM_TO(i, 1) ->
       announce(i, 1) }
#ifndef BREAK_REPEAT
  :: atomic { timeout && state[i] == IDLE && !dead[i] && (up[AT(i, 0)] || up[AT(i, 1)]) ->
       if
       :: up[AT(i, 0)] -> announce(i, 0)
       :: else
       fi;
       if
       :: up[AT(i, 1)] -> announce(i, 1)
       :: else
       fi }
#endif
#endif

#if CRASHES
  :: atomic { !dead[i] && crashes > 0 -> die(i); m = 0; kind = 0 }
  :: atomic { !dead[i] && up[AT(i, 0)] && dead[PEER(i, 0)] -> peer_gone(i, 0) }
  :: atomic { !dead[i] && up[AT(i, 1)] && dead[PEER(i, 1)] -> peer_gone(i, 1) }
#endif
  od
}

init {
  byte i;
  atomic {
    do
    :: i < N ->
       up[AT(i, 0)] = EDGE(i, 0);
       up[AT(i, 1)] = EDGE(i, 1);
       i++
    :: i == N -> break
    od;
    i = 0;
    do
    :: i < N ->
       run Worker(i);
       i++
    :: i == N -> break
    od
  }
}
