/* The sweep. Everybody is marked once for each degree, so its time grows with the passages, not with their pairs. */
#include "daemon/ctl/trace/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 4096 };

/* ---- persons by hash ---------------------------------------------------------------------------------------------- */

static size_t slot_of(const struct sweep *sweep, const char *hash)
{
    uint64_t h = UINT64_C(1469598103934665603); /* FNV-1a */
    for (const char *c = hash; *c; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
    size_t slot = (size_t)(h ^ h >> 32) & (sweep->slots_count - 1);
    while (sweep->slots[slot] != SWEEP_NOBODY && strcmp(sweep->persons[sweep->slots[slot]].hash, hash) != 0)
        slot = (slot + 1) & (sweep->slots_count - 1);
    return slot;
}

static int grow_slots(struct sweep *sweep)
{
    const size_t count = sweep->slots_count > 0 ? 2 * sweep->slots_count : SLOTS_FIRST;
    int32_t *slots = malloc(count * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(sweep->slots);
    sweep->slots = slots;
    sweep->slots_count = count;
    for (size_t i = 0; i < count; i++)
        slots[i] = SWEEP_NOBODY;
    for (int32_t i = 0; i < sweep->count; i++)
        slots[slot_of(sweep, sweep->persons[i].hash)] = i;
    return 0;
}

int32_t sweep_person(struct sweep *sweep, const char *hash)
{
    if ((size_t)sweep->count * 2 >= sweep->slots_count && grow_slots(sweep) < 0)
        return -ENOMEM;
    const size_t slot = slot_of(sweep, hash);
    if (sweep->slots[slot] != SWEEP_NOBODY)
        return sweep->slots[slot];
    if (sweep->count == sweep->room) {
        const int32_t room = sweep->room > 0 ? 2 * sweep->room : 1024;
        struct sweep_person *more = realloc(sweep->persons, (size_t)room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        sweep->persons = more;
        sweep->room = room;
    }
    struct sweep_person *person = &sweep->persons[sweep->count];
    *person = (struct sweep_person){ .degree = SWEEP_UNMET, .lane = -1, .via = SWEEP_NOBODY };
    (void)strncpy(person->hash, hash, sizeof(person->hash) - 1); /* the last byte is 0 */
    return sweep->slots[slot] = sweep->count++;
}

int sweep_add(struct sweep *sweep, int64_t at_us, int32_t person, int lane, enum direction direction)
{
    if (sweep->passages_count == sweep->passages_room) {
        const size_t room = sweep->passages_room > 0 ? 2 * sweep->passages_room : 4096;
        struct sweep_passage *more = realloc(sweep->passages, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        sweep->passages = more;
        sweep->passages_room = room;
    }
    sweep->passages[sweep->passages_count++] =
        (struct sweep_passage){ .at_us = at_us, .person = person, .lane = (int16_t)lane, .direction = (uint8_t)direction };
    return 0;
}

void sweep_free(struct sweep *sweep)
{
    free(sweep->persons);
    free(sweep->slots);
    free(sweep->passages);
    *sweep = (struct sweep){ .count = 0 };
}

/* ---- lists of persons --------------------------------------------------------------------------------------------- */

struct list {
    size_t link; /* offset of its links in a person */
    int32_t first, last;
};

/* The passages of a lane that are within the window, and how many of them are the traced one's. */
struct gate {
    struct gate_entry {
        int64_t at_us;
        int32_t person;
    } *entries;
    size_t begin, end;
    int traced;
};

struct run {
    struct sweep *sweep;
    const struct sweep_bounds *bounds;
    int32_t traced;
    bool live; /* from_us has come */
    struct list all;   /* everybody inside, by when they were last seen coming */
    struct list unmet; /* of them: of no degree yet */
    struct list close; /* of them: of the first degree */
    struct gate gates[SWEEP_LANES_MAX];
    uint8_t *degrees; /* of each person once more: looked at for each pair at a gate, so they stay near the processor */
};

static struct sweep_link *link_of(struct run *run, const struct list *list, int32_t person)
{
    return (struct sweep_link *)(void *)((char *)&run->sweep->persons[person] + list->link);
}

static void append(struct run *run, struct list *list, int32_t person)
{
    *link_of(run, list, person) = (struct sweep_link){ .before = list->last, .after = SWEEP_NOBODY };
    if (list->last != SWEEP_NOBODY)
        link_of(run, list, list->last)->after = person;
    else
        list->first = person;
    list->last = person;
}

static void take_out(struct run *run, struct list *list, int32_t person)
{
    const struct sweep_link link = *link_of(run, list, person);
    if (link.before != SWEEP_NOBODY)
        link_of(run, list, link.before)->after = link.after;
    else
        list->first = link.after;
    if (link.after != SWEEP_NOBODY)
        link_of(run, list, link.after)->before = link.before;
    else
        list->last = link.before;
}

/* ---- meetings ----------------------------------------------------------------------------------------------------- */

static void set_degree(struct run *run, int32_t who, uint8_t degree, int64_t at_us)
{
    struct sweep_person *person = &run->sweep->persons[who];
    if (person->is_in && person->degree == SWEEP_UNMET)
        take_out(run, &run->unmet, who);
    person->degree = run->degrees[who] = degree;
    person->first_us = at_us;
}

static void note(struct sweep_person *person, int64_t at_us, int lane)
{
    if (at_us > person->last_us)
        person->last_us = at_us;
    if (lane < 0)
        person->inside = true;
    else
        person->at_gate = true;
    if (lane >= 0 && person->lane < 0)
        person->lane = (int16_t)lane;
}

/* Of who wasn't met before; the first meeting is what counts. `lane` -1: inside. */
static void meet_second(struct run *run, int32_t who, int32_t via, int64_t at_us, int lane)
{
    if (run->bounds->degrees < 2 || run->degrees[who] != SWEEP_UNMET)
        return;
    set_degree(run, who, 2, at_us);
    run->sweep->persons[who].via = via;
    note(&run->sweep->persons[who], at_us, lane);
}

static void meet_all_unmet(struct run *run, int32_t via, int64_t at_us)
{
    while (run->bounds->degrees >= 2 && run->unmet.first != SWEEP_NOBODY)
        meet_second(run, run->unmet.first, via, at_us, -1);
}

static void meet_first(struct run *run, int32_t who, int64_t at_us, int lane)
{
    struct sweep_person *person = &run->sweep->persons[who];
    if (who == run->traced)
        return;
    if (person->degree > 1) {
        set_degree(run, who, 1, at_us);
        person->via = SWEEP_NOBODY;
        person->last_us = 0;
        person->at_gate = person->inside = false;
        person->lane = -1;
        if (person->is_in) {
            append(run, &run->close, who);
            if (run->close.first == who) /* else the others have met somebody close already */
                meet_all_unmet(run, who, at_us);
        }
    }
    note(person, at_us, lane);
    person->gate_meetings += lane >= 0;
}

static void meet_traced_at(struct run *run, const struct gate *gate, const struct sweep_passage *passage)
{
    for (size_t i = gate->begin; i < gate->end; i++) {
        const int32_t other = gate->entries[i].person;
        if (other != passage->person && passage->person == run->traced)
            meet_first(run, other, passage->at_us, passage->lane);
        else if (other != passage->person && other == run->traced)
            meet_first(run, passage->person, passage->at_us, passage->lane);
    }
}

static void meet_close_at(struct run *run, const struct gate *gate, const struct sweep_passage *passage)
{
    const int32_t who = passage->person;
    if (run->degrees[who] == 1) {
        for (size_t i = gate->begin; i < gate->end; i++)
            if (run->degrees[gate->entries[i].person] == SWEEP_UNMET)
                meet_second(run, gate->entries[i].person, who, passage->at_us, passage->lane);
        return;
    }
    for (size_t i = gate->end; i > gate->begin && run->degrees[who] == SWEEP_UNMET; i--)
        if (run->degrees[gate->entries[i - 1].person] == 1)
            meet_second(run, who, gate->entries[i - 1].person, passage->at_us, passage->lane);
}

static void pass_gate(struct run *run, const struct sweep_passage *passage)
{
    struct gate *gate = &run->gates[passage->lane];
    while (gate->begin < gate->end && passage->at_us - gate->entries[gate->begin].at_us > run->bounds->window_us)
        gate->traced -= gate->entries[gate->begin++].person == run->traced;
    if (run->live && (gate->traced > 0 || passage->person == run->traced))
        meet_traced_at(run, gate, passage);
    if (run->live && run->bounds->degrees >= 2)
        meet_close_at(run, gate, passage);
    gate->entries[gate->end++] = (struct gate_entry){ passage->at_us, passage->person };
    gate->traced += passage->person == run->traced;
}

/* ---- inside ------------------------------------------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void be_together(struct run *run, struct sweep_person *person, int64_t until_us)
{
    const int64_t since_us = later(later(person->since_us, run->sweep->persons[run->traced].since_us), run->bounds->from_us);
    if (until_us > since_us)
        person->together_us += until_us - since_us;
    if (until_us > person->last_us)
        person->last_us = until_us;
}

static void leave(struct run *run, int32_t who, int64_t at_us)
{
    struct sweep_person *persons = run->sweep->persons, *person = &persons[who];
    if (run->live && who == run->traced) {
        for (int32_t i = run->all.first; i != SWEEP_NOBODY; i = persons[i].all.after)
            if (i != who)
                be_together(run, &persons[i], at_us);
    } else if (run->live && persons[run->traced].is_in) {
        be_together(run, person, at_us);
    }
    person->is_in = false;
    take_out(run, &run->all, who);
    if (person->degree == SWEEP_UNMET)
        take_out(run, &run->unmet, who);
    else if (person->degree == 1)
        take_out(run, &run->close, who);
}

static void meet_inside(struct run *run, int32_t who, int64_t at_us)
{
    struct sweep_person *persons = run->sweep->persons;
    if (who == run->traced) {
        for (int32_t i = run->all.first; i != SWEEP_NOBODY; i = persons[i].all.after)
            meet_first(run, i, at_us, -1);
        return;
    }
    if (persons[run->traced].is_in)
        meet_first(run, who, at_us, -1);
    if (persons[who].degree == 1)
        meet_all_unmet(run, who, at_us);
    else if (run->close.first != SWEEP_NOBODY)
        meet_second(run, who, run->close.first, at_us, -1);
}

static void enter(struct run *run, int32_t who, int64_t at_us)
{
    struct sweep_person *person = &run->sweep->persons[who];
    person->seen_us = at_us;
    if (person->is_in) { /* in again without out: seen anew */
        take_out(run, &run->all, who);
        append(run, &run->all, who);
        return;
    }
    person->is_in = true;
    person->since_us = at_us;
    append(run, &run->all, who);
    if (person->degree == SWEEP_UNMET)
        append(run, &run->unmet, who);
    else if (person->degree == 1)
        append(run, &run->close, who);
    if (run->live)
        meet_inside(run, who, at_us);
}

/* Whose stay has become too long to be believed. */
static void expire(struct run *run, int64_t at_us)
{
    const struct sweep_person *persons = run->sweep->persons;
    while (run->all.first != SWEEP_NOBODY && at_us - persons[run->all.first].seen_us > run->bounds->stay_us)
        leave(run, run->all.first, persons[run->all.first].seen_us + run->bounds->stay_us);
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

static int by_time(const void *left, const void *right)
{
    const struct sweep_passage *a = left, *b = right;
    return a->at_us != b->at_us ? (a->at_us < b->at_us ? -1 : 1) : a->lane != b->lane ? (a->lane < b->lane ? -1 : 1) : 0;
}

static void go_live(struct run *run)
{
    expire(run, run->bounds->from_us);
    run->live = true;
    if (run->sweep->persons[run->traced].is_in)
        meet_inside(run, run->traced, run->bounds->from_us);
}

static int open_run(struct run *run)
{
    size_t counts[SWEEP_LANES_MAX] = { 0 };
    run->degrees = malloc((size_t)run->sweep->count);
    if (!run->degrees)
        return -ENOMEM;
    memset(run->degrees, SWEEP_UNMET, (size_t)run->sweep->count);
    run->sweep->persons[run->traced].degree = run->degrees[run->traced] = 0;
    for (size_t i = 0; i < run->sweep->passages_count; i++)
        counts[run->sweep->passages[i].lane]++;
    for (int i = 0; i < SWEEP_LANES_MAX; i++) {
        if (counts[i] > 0 && !(run->gates[i].entries = malloc(counts[i] * sizeof(struct gate_entry))))
            return -ENOMEM;
    }
    return 0;
}

int sweep_run(struct sweep *sweep, int32_t traced, const struct sweep_bounds *bounds)
{
    struct run run = { .sweep = sweep, .bounds = bounds, .traced = traced,
                       .all = { offsetof(struct sweep_person, all), SWEEP_NOBODY, SWEEP_NOBODY },
                       .unmet = { offsetof(struct sweep_person, unmet), SWEEP_NOBODY, SWEEP_NOBODY },
                       .close = { offsetof(struct sweep_person, close), SWEEP_NOBODY, SWEEP_NOBODY } };
    const int error = open_run(&run);
    if (error == 0 && sweep->passages_count > 0)
        qsort(sweep->passages, sweep->passages_count, sizeof(*sweep->passages), by_time);
    for (size_t i = 0; i < sweep->passages_count && error == 0; i++) {
        const struct sweep_passage *passage = &sweep->passages[i];
        if (!run.live && passage->at_us >= bounds->from_us)
            go_live(&run);
        expire(&run, passage->at_us);
        pass_gate(&run, passage);
        if (passage->direction == DIRECTION_IN)
            enter(&run, passage->person, passage->at_us);
        else if (passage->direction == DIRECTION_OUT && sweep->persons[passage->person].is_in)
            leave(&run, passage->person, passage->at_us);
    }
    if (error == 0) {
        if (!run.live)
            go_live(&run);
        expire(&run, bounds->until_us);
        if (sweep->persons[traced].is_in)
            leave(&run, traced, bounds->until_us);
    }
    for (int i = 0; i < SWEEP_LANES_MAX; i++)
        free(run.gates[i].entries);
    free(run.degrees);
    return error;
}
