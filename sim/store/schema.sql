-- The contract of the two wings: calibrate/ writes it, sim/ reads it.
-- Times are seconds, sizes bytes, rates per second, errors per cent.  NULL is
-- "not known" or "does not apply", never zero.  Every row says where it is from.
PRAGMA user_version = 1;

-- One law fitted to, or stated for, an operator of a GPU.
CREATE TABLE fit (
    gpu TEXT NOT NULL,        -- card name: models/gpu/GPU.json
    op TEXT NOT NULL,         -- sim/cost/op_OP.c
    variant TEXT NOT NULL,    -- number format, algorithm, head size ...
    form TEXT NOT NULL,       -- sim/cost/form_FORM.c
    basis TEXT NOT NULL CHECK (basis IN ('measured', 'law')),
    source TEXT NOT NULL,     -- tables and versions, or the citation of a law
    date TEXT NOT NULL,       -- of the fit, YYYY-MM-DD
    rows INTEGER NOT NULL,    -- measurements used; 0 for a law
    ape_median REAL,          -- absolute errors over those rows, per cent
    ape_p95 REAL,
    ape_max REAL,
    bias REAL,                -- mean signed error, per cent
    cv_median REAL,           -- the same, leaving one group of shapes out
    cv_p95 REAL,
    PRIMARY KEY (gpu, op, variant)
) STRICT;

-- Coefficients by name; the name ends in the unit.
CREATE TABLE coef (
    gpu TEXT NOT NULL,
    op TEXT NOT NULL,
    variant TEXT NOT NULL,
    place INTEGER NOT NULL,   -- order of display
    name TEXT NOT NULL,
    value REAL NOT NULL,
    se REAL,                  -- standard error; NULL: not fitted
    source TEXT NOT NULL,     -- 'fit', or where the constant comes from
    PRIMARY KEY (gpu, op, variant, name),
    FOREIGN KEY (gpu, op, variant) REFERENCES fit ON DELETE CASCADE
) STRICT;

-- The box of features a fit was made in; outside it one extrapolates.
CREATE TABLE box (
    gpu TEXT NOT NULL,
    op TEXT NOT NULL,
    variant TEXT NOT NULL,
    place INTEGER NOT NULL,
    feature TEXT NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    PRIMARY KEY (gpu, op, variant, feature),
    FOREIGN KEY (gpu, op, variant) REFERENCES fit ON DELETE CASCADE
) STRICT;

-- What was timed on a device: one operator call, many repeats.
CREATE TABLE measurement (
    gpu TEXT NOT NULL,
    op TEXT NOT NULL,
    variant TEXT NOT NULL,
    call TEXT NOT NULL,       -- features by name: 'm=8 n=8192 k=1024 ...'
    system TEXT NOT NULL,     -- host and devices
    date TEXT NOT NULL,
    driver TEXT NOT NULL,
    clock_hz REAL,            -- while it ran
    version TEXT NOT NULL,    -- revision of the program or library timed
    command TEXT NOT NULL,    -- that repeats it
    repeats INTEGER NOT NULL,
    median_s REAL NOT NULL,
    mad_s REAL NOT NULL,      -- median absolute deviation
    PRIMARY KEY (gpu, op, variant, call, system, date, version)
) STRICT;

-- A whole run, predicted or measured.
CREATE TABLE run (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('predicted', 'measured')),
    scenario TEXT NOT NULL,   -- resolved, JSON
    store TEXT NOT NULL,      -- costs it rests on; '' for a measurement
    seed TEXT NOT NULL,       -- decimal, 64 bits unsigned
    date TEXT NOT NULL,
    source TEXT NOT NULL      -- program and version, or who measured
) STRICT;

CREATE TABLE run_metric (
    run TEXT NOT NULL REFERENCES run ON DELETE CASCADE,
    metric TEXT NOT NULL,     -- with its unit: 'ttft_p99_ms'
    value REAL,               -- NULL: not reached
    half_width REAL,          -- of the 95 % interval; NULL: not known
    PRIMARY KEY (run, metric)
) STRICT;
