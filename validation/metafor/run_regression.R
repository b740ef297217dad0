# Makes tests/reference/rma_*.json: scales, estimators of tau2, tests, intervals, meta-regression and subgroups.
# Run from the repository's root: Rscript validation/metafor/run_regression.R
# Never runs in CI; README.md beside this file says what agrees with what.
suppressPackageStartupMessages({library(metafor); library(metadat); library(lme4); library(jsonlite)})

out <- "tests/reference"
versions <- list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                 metadat = as.character(packageVersion("metadat")), lme4 = as.character(packageVersion("lme4")))
measures <- c(probability = "PR", logit = "PLO", arcsine = "PAS", log = "PLN", `freeman-tukey` = "PFT")
estimators <- c("DL", "PM", "REML", "ML", "HE", "HS", "SJ", "EB")

# metafor's stopping rules are absolute: in units of the sampling variances they are as strict on every scale.
fit <- function(yi, vi, method, test = "z", mods = NULL) {
  top <- 1000 * max(var(yi), mean(vi))
  control <- list(threshold = 1e-11 * mean(vi), maxiter = 10000, tol = 1e-13 * mean(vi), tau2.max = top)
  if (is.null(mods)) rma(yi, vi, method = method, test = test, control = control)
  else rma(yi, vi, mods = mods, method = method, test = test, control = control)
}

table_of <- function(m) {
  r <- list(b = c(m$beta), se = m$se, ci_lb = m$ci.lb, ci_ub = m$ci.ub, pval = m$pval, tau2 = m$tau2, I2 = m$I2 / 100,
            H2 = m$H2, QE = m$QE, QEp = m$QEp)
  if (m$method %in% c("ML", "REML", "EE")) r$ll <- c(logLik(m))
  r
}

back <- function(y, measure, ni)
  switch(measure, PR = pmin(pmax(y, 0), 1), PLO = transf.ilogit(y), PAS = transf.iarcsin(y), PLN = pmin(exp(y), 1),
         PFT = transf.ipft.hm(y, targs = list(ni = ni)))

pooled <- function(yi, vi, measure, ni) {
  r <- list(EE = table_of(fit(yi, vi, "EE")))
  for (method in estimators) {
    m <- fit(yi, vi, method)
    r[[method]] <- c(table_of(m), list(pi_lb = predict(m)$pi.lb, pi_ub = predict(m)$pi.ub))
  }
  r$profile <- as.list(setNames(c(confint(fit(yi, vi, "REML"), control = list(
    tol = 1e-13 * mean(vi), tau2.max = 1e5 * max(var(yi), mean(vi))))$random[c("tau^2", "I^2(%)", "H^2"), -1]),
    c("tau2_lb", "I2_lb", "H2_lb", "tau2_ub", "I2_ub", "H2_ub")))
  for (test in c("t", "knha", "adhoc")) {
    m <- fit(yi, vi, "REML", test)
    p <- predict(m)
    r[[paste0("REML-", test)]] <- c(table_of(m), list(pi_lb = p$pi.lb, pi_ub = p$pi.ub))
  }
  p <- predict(fit(yi, vi, "REML"), pi.type = "riley")
  r$riley <- list(pi_lb = p$pi.lb, pi_ub = p$pi.ub)
  m <- r$REML
  r$back <- as.list(setNames(back(c(m$b, m$ci_lb, m$ci_ub, m$pi_lb, m$pi_ub), measure, ni),
                             c("b", "ci_lb", "ci_ub", "pi_lb", "pi_ub")))
  r
}

scales <- function(xi, ni) {
  sets <- lapply(measures, function(measure) {
    e <- escalc(measure = measure, xi = xi, ni = ni)
    yi <- c(e$yi); vi <- c(e$vi)
    c(list(yi = yi, vi = vi), pooled(yi, vi, measure, ni))
  })
  c(list(xi = xi, ni = ni), sets)
}

glmer_exact <- function(formula, data)
  suppressMessages(glmer(formula, data = data, family = binomial, nAGQ = 25,
    control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-9,
                           optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e6))))

# A meta-regression on the logit scale by several methods, and the GLMM with and without the moderators. `columns` go to
# the test as text, so that it builds the design itself; the levels' order is ours.
regression <- function(xi, ni, columns, numeric = character()) {
  frame <- as.data.frame(lapply(names(columns), function(name)
    if (name %in% numeric) as.numeric(columns[[name]]) else factor(columns[[name]], unique_levels(name, columns[[name]]))))
  names(frame) <- names(columns)
  X <- model.matrix(~ ., frame)
  e <- escalc(measure = "PLO", xi = xi, ni = ni)
  yi <- c(e$yi); vi <- c(e$vi)
  r <- list(xi = xi, ni = ni, columns = lapply(columns, as.character), numeric = as.list(numeric),
            X = unname(lapply(seq_len(nrow(X)), function(i) unname(X[i, ]))))
  for (call in list(c("EE", "z"), c("DL", "z"), c("REML", "z"), c("REML", "knha"), c("REML", "adhoc"), c("REML", "t"),
                    c("ML", "z"), c("PM", "z"), c("HE", "z"), c("HS", "z"), c("SJ", "z"))) {
    m <- fit(yi, vi, call[1], call[2], mods = X[, -1, drop = FALSE])
    s <- c(table_of(m), list(QM = m$QM, QMdf = m$QMdf, QMp = m$QMp, R2 = m$R2 / 100))
    if (identical(call, c("REML", "z"))) {
      ci <- confint(m, control = list(tol = 1e-13 * mean(vi), tau2.max = 1e5))$random
      s <- c(s, list(tau2_lb = ci[1, 2], tau2_ub = ci[1, 3]))
    }
    r[[paste(call, collapse = "-")]] <- s
  }
  data <- cbind(frame, xi = xi, ni = ni, study = factor(seq_along(xi)))
  g0 <- glmer_exact(cbind(xi, ni - xi) ~ 1 + (1 | study), data)
  numbers <- as.data.frame(X[, -1, drop = FALSE]); names(numbers) <- paste0("x", seq_len(ncol(numbers)))
  g1 <- glmer_exact(as.formula(paste("cbind(xi, ni - xi) ~", paste(names(numbers), collapse = " + "), "+ (1 | study)")),
                    cbind(data, numbers))
  r$glmer <- list(b = unname(fixef(g1)), se = unname(sqrt(diag(as.matrix(vcov(g1))))), tau2 = unname(c(VarCorr(g1)$study)),
                  LR = 2 * (c(logLik(g1)) - c(logLik(g0))), df = ncol(numbers))
  r
}

ours <- list(line = c("naive", "pretreated", "mixed"),
             regimen_class = c("first", "second", "third", "combination", "experimental"))
unique_levels <- function(name, values) if (is.null(ours[[name]])) sort(unique(values)) else
  intersect(ours[[name]], unique(values))

# Each level alone, and the fixed-effect test between the pooled logits; then with one tau2 for all levels.
subgroups <- function(xi, ni, name, values) {
  levels <- unique_levels(name, values)
  e <- escalc(measure = "PLO", xi = xi, ni = ni)
  yi <- c(e$yi); vi <- c(e$vi)
  r <- list(xi = xi, ni = ni, values = as.character(values), levels = levels)
  for (test in c("z", "knha")) {
    each <- lapply(levels, function(l) fit(yi[values == l], vi[values == l], "REML", test))
    b <- sapply(each, function(m) c(m$beta)); se <- sapply(each, function(m) m$se)
    between <- rma(b, se^2, mods = ~ factor(levels), method = "FE")
    X <- model.matrix(~ 0 + factor(values, levels))
    shared <- rma(yi, vi, mods = X, intercept = FALSE, method = "REML", test = test,
                  control = list(threshold = 1e-11 * mean(vi), maxiter = 10000))
    treated <- fit(yi, vi, "REML", test, mods = model.matrix(~ factor(values, levels))[, -1, drop = FALSE])
    r[[test]] <- list(
      separate = list(b = b, se = se, tau2 = sapply(each, function(m) m$tau2), QM = between$QM, QMp = between$QMp),
      shared = list(b = c(shared$beta), ci_lb = shared$ci.lb, ci_ub = shared$ci.ub, tau2 = shared$tau2, QM = treated$QM,
                    QMp = treated$QMp))
  }
  r
}

write <- function(name, data, content) {
  source <- list(script = "validation/metafor/run_regression.R", data = data,
                 calls = list(
                   effects = "escalc(measure=, xi=xi, ni=ni)",
                   normal = "rma(yi, vi, mods=, method=, test=), iterations run to 1e-11 of the mean sampling variance",
                   profile = "confint() of the REML fit", riley = 'predict(pi.type="riley")',
                   back = "transf.* of the REML fit; on the raw and log scales cut to [0, 1] here, as ours are",
                   separate = 'rma() of each level, then rma(b, se^2, mods=~level, method="FE")',
                   glmer = "glmer(cbind(xi, ni-xi) ~ x + (1|study), binomial, nAGQ=25), bobyqa to 1e-10"),
                 versions = versions,
                 scale = "on the scale of the measure, but for `back`: proportions; I2, R2: proportion; profile I2: percent")
  writeLines(toJSON(c(list(source = source), content), auto_unbox = TRUE, digits = NA, na = "null", null = "null"),
             file.path(out, paste0("rma_", name, ".json")))
}

d <- dat.pritz1997
write("pritz1997", "metadat::dat.pritz1997", list(scales = list(all = scales(d$xi, d$ni))))

d <- dat.debruin2009
write("debruin2009", "metadat::dat.debruin2009, doi:10.1037/a0015989", list(
  scales = list(all = scales(d$xi, d$ni)),
  regressions = list(
    `ethnicity+scq` = regression(d$xi, d$ni, list(ethnicity = as.character(d$ethnicity), scq = d$scq), "scq"),
    scq = regression(d$xi, d$ni, list(scq = d$scq), "scq")),
  subgroups = list(ethnicity = subgroups(d$xi, d$ni, "ethnicity", as.character(d$ethnicity)))))

d <- dat.nielweise2007
both <- data.frame(xi = c(d$ai, d$ci), ni = c(d$n1i, d$n2i), arm = rep(c("impregnated", "control"), each = nrow(d)),
                   year = rep(d$year - 1990, 2))   # so that lme4 finds its maximum
write("nielweise2007", "metadat::dat.nielweise2007, both arms, doi:10.1007/s00134-007-0897-3", list(
  scales = list(control = scales(d$ci, d$n2i), impregnated = scales(d$ai, d$n1i), both = scales(both$xi, both$ni)),
  regressions = list(`arm+year` = regression(both$xi, both$ni, list(arm = both$arm, year = both$year), "year")),
  subgroups = list(arm = subgroups(both$xi, both$ni, "arm", both$arm))))

# Not in Debian's metadat 1.2: copied from data-raw/dat.crisafulli2020.csv of metadat's repository, commit 12fac85.
xi <- c(47, 66, 19, 2, 99, 105, 73, 110, 12, 156, 48, 76, 50, 5, 16, 20, 397, 9, 29, 5, 21, 11, 51, 40, 6, 72)
ni <- c(177413, 234396, 91157, 10000, 532302, 371698, 301283, 420374, 71091, 721163, 176600, 292637, 261254, 18000, 72963,
        77654, 1673791, 34219, 210324, 30014, 111703, 62188, 281214, 190521, 37649, 369780)
pubyear <- c(1977, 1977, 1977, 1979, 1980, 1980, 1981, 1982, 1983, 1983, 1986, 1987, 1987, 1988, 1989, 1992, 1992, 1993,
             1997, 1998, 2003, 2003, 2006, 2010, 2012, 2013)
country <- c("UK", "IT", "JP", "NZ", "AU", "IT", "IT", "CA", "FR", "IT", "DE", "IT", "JP", "CA", "NO", "IT", "NL", "UK", "SI",
             "CY", "DK", "EE", "BE", "CA", "US", "UK")
write("crisafulli2020", "metadat dat.crisafulli2020 (of a later version than the one below), doi:10.1186/s13023-020-01430-8", list(
  scales = list(all = scales(xi, ni)),
  regressions = list(`italy+pubyear` = regression(xi, ni, list(italy = ifelse(country == "IT", "IT", "other"),
                                                               pubyear = pubyear - 1990), "pubyear"))))

d <- read.csv("alkbayes/data/cohorts.csv", colClasses = "character")
d$n <- as.numeric(d$n); d$responders <- as.numeric(d$responders)
d <- d[order(d$cohort_id, method = "radix"), ]
p <- d[d$pfs_median != "" & d$prior_chemo != "", ]
write("cohorts", "alkbayes/data/cohorts.csv, sorted by cohort_id", list(
  scales = list(all = scales(d$responders, d$n)),
  regressions = list(
    `line+regimen_class` = regression(d$responders, d$n, list(line = d$line, regimen_class = d$regimen_class)),
    `line+pfs_median` = regression(p$responders, p$n, list(line = p$line, pfs_median = p$pfs_median), "pfs_median")),
  subgroups = list(line = subgroups(d$responders, d$n, "line", d$line),
                   regimen_class = subgroups(d$responders, d$n, "regimen_class", d$regimen_class))))
