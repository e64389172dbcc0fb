#include "sim/report/nudge.h"

#include "tests/t.h"

static struct nudge_box taken[4];

static struct nudge ground(const struct nudge_spot *spot, size_t n)
{
    return (struct nudge){
        .frame = {0, 0, 200, 100}, .spot = spot, .n = n, .taken = taken};
}

static void right_of_a_lone_mark(void **state)
{
    struct nudge_spot s = {50, 50, false};
    struct nudge g = ground(&s, 1);
    struct nudge_label l;
    (void)state;
    EQ(nudge_place(&g, &s, 1, 40, 12, &l), true);
    EQ(l.side, 1);
    assert_true(l.box.x0 > 50 && l.box.y0 < 50 && l.box.y1 > 50);
    EQ(g.n_taken, 1);
}

static void left_at_the_right_edge(void **state)
{
    struct nudge_spot s = {190, 50, false};
    struct nudge g = ground(&s, 1);
    struct nudge_label l;
    (void)state;
    EQ(nudge_place(&g, &s, 1, 40, 12, &l), true);
    EQ(l.side, -1);
    assert_true(l.box.x1 < 190 && l.box.x0 >= 0);
}

static void not_over_a_line(void **state)
{
    /* A line leaves to the right at the height of the mark. */
    struct nudge_spot s[] = {{50, 50, false}, {190, 50, true}};
    struct nudge g = ground(s, 2);
    struct nudge_label l;
    (void)state;
    EQ(nudge_place(&g, s, 1, 40, 12, &l), true);
    assert_true(l.box.y1 < 50 || l.box.y0 > 50 || l.box.x1 < 50);
}

static void not_over_labels(void **state)
{
    struct nudge_spot s = {50, 50, false};
    struct nudge g = ground(&s, 1);
    struct nudge_label a, b;
    (void)state;
    EQ(nudge_place(&g, &s, 1, 40, 12, &a), true);
    EQ(nudge_place(&g, &s, 1, 40, 12, &b), true);
    assert_true(a.box.x1 <= b.box.x0 || b.box.x1 <= a.box.x0
                || a.box.y1 <= b.box.y0 || b.box.y1 <= a.box.y0);
}

static void no_place_is_said(void **state)
{
    struct nudge_spot s = {50, 50, false};
    struct nudge g = ground(&s, 1);
    struct nudge_label l;
    (void)state;
    EQ(nudge_place(&g, &s, 1, 300, 12, &l), false);
    EQ(g.n_taken, 0);
}

T_MAIN(cmocka_unit_test(right_of_a_lone_mark),
       cmocka_unit_test(left_at_the_right_edge),
       cmocka_unit_test(not_over_a_line), cmocka_unit_test(not_over_labels),
       cmocka_unit_test(no_place_is_said))
