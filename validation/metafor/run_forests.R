# Makes tests/reference/metafor_forests.json: what forests of pooled rates show. Run from the repository's root:
# Rscript validation/metafor/run_forests.R
source("validation/metafor/shared.R")

fit <- function(d, method, test) rma(yi, vi, data = logits(d), method = method, test = test, control = strict)
rates <- function(b, lb, ub) list(estimate = transf.ilogit(b), low = transf.ilogit(lb), high = transf.ilogit(ub))
of_fit <- function(f) rates(as.numeric(f$beta), f$ci.lb, f$ci.ub)

without_each <- function(d, method, test) {
  l <- leave1out(fit(d, method, test))
  c(list(left_out = d$name), rates(l$estimate, l$ci.lb, l$ci.ub))
}

# cumul adds one cohort at a time: rows that end a value are those of all cohorts with it.
as_added <- function(d, method, test) {
  d <- d[order(d$by == "", d$by, method = "radix"), ]
  u <- cumul(fit(d, method, test))
  ends <- which(!duplicated(d$by, fromLast = TRUE))
  c(list(value = d$by[ends], k = ends), rates(u$estimate[ends], u$ci.lb[ends], u$ci.ub[ends]))
}

by_level <- function(d, method, test) {
  levels <- sort(unique(d$line))
  each <- lapply(levels, function(level) {
    f <- fit(d[d$line == level, ], method, test)
    p <- predict(f)
    c(of_fit(f), list(prediction_low = transf.ilogit(p$pi.lb), prediction_high = transf.ilogit(p$pi.ub)))
  })
  columns <- names(each[[1]])
  c(list(level = levels), setNames(lapply(columns, function(x) sapply(each, `[[`, x)), columns))
}

bundled$name <- bundled$cohort_id
bundled$by <- bundled$cutoff
sets <- list(counts = list(cohort = bundled$name, xi = bundled$xi, ni = bundled$ni))
for (m in list(c("REML", "adhoc"), c("DL", "z"))) {
  sets[[tolower(paste(m, collapse = "_"))]] <- list(
    all = of_fit(fit(bundled, m[1], m[2])), leave1out = without_each(bundled, m[1], m[2]),
    cumul = as_added(bundled, m[1], m[2]), subgroups = by_level(bundled, m[1], m[2]))
}
write_reference("forests", "run_forests.R", c("metafor"),
  list(rma = "rma(yi, vi, method=, test=), logits, threshold 1e-12, then leave1out, cumul, and predict by level of line;",
       scale = "transf.ilogit of estimates and limits"), sets)
