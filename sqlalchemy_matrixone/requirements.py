"""The features of a MatrixOne server that SQLAlchemy's test suite may use, and the reasons for those it may not use.

Requirements that the suite enables by default, and that MatrixOne meets, are not listed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

from .core.release import Feature, format_release

# These are properties, because a test with several requirements collects all of them in the object of the first one.
_yes = property(lambda self: exclusions.open())  # type: ignore[no-untyped-call]


def _no(reason: str, releases: str = "2.2, 3.0, 4.2") -> Any:
    """Return a requirement that is not met.

    :param releases: the releases on which the reason was observed; empty if it does not depend on the server.
    """
    explanation = f"{reason} ({releases})" if releases else reason
    return property(lambda self: exclusions.skip_if(lambda config: True, explanation))  # type: ignore[no-untyped-call]


def _from(feature: Feature) -> Any:
    """Return a requirement that is met by the releases that have a feature."""
    return property(
        lambda self: exclusions.skip_if(  # type: ignore[no-untyped-call]
            lambda config: not config.db.dialect.supports(feature),
            f"MatrixOne before {format_release(feature.since)} has no {feature.sql}",
        )
    )


def _until(feature: Feature) -> Any:
    """Return a requirement that is met by the releases before one that behaves differently."""
    return property(
        lambda self: exclusions.skip_if(  # type: ignore[no-untyped-call]
            lambda config: config.db.dialect.supports(feature),
            f"MatrixOne from {format_release(feature.since)} on: {feature.sql}",
        )
    )


class Requirements(SuiteRequirements):
    """The requirements, grouped by subject."""

    # Tables, keys and indexes
    table_ddl_if_exists = _yes
    index_ddl_if_exists = _from(Feature.DROP_INDEX_IF_EXISTS)
    create_table_as = _from(Feature.CREATE_TABLE_AS_IN_TRANSACTION)
    create_temp_table_as = _from(Feature.TEMPORARY_TABLE_IN_TRANSACTION)
    views = create_or_replace_view = _yes
    temporary_views = _no("CREATE TEMPORARY VIEW is a syntax error")
    materialized_views = materialized_views_reflect_pk = _no("CREATE MATERIALIZED VIEW is a syntax error")
    quotes_in_names = _no("A single quote in the name of an index breaks the server's own INSERT into mo_indexes")
    unicode_ddl = _yes
    percent_schema_names = _yes
    schema_create_delete = _yes
    implicit_default_schema = default_schema_name_switch = _yes
    indexes_with_expressions = _no("CREATE INDEX: unsupported index which using expression as keypart")
    reflect_indexes_with_expressions = indexes_with_expressions
    reflect_indexes_with_ascdesc = _no("DESC in CREATE INDEX is ignored")
    reflect_indexes_with_ascdesc_as_expression = reflect_indexes_with_ascdesc
    index_reflects_included_columns = _no(
        "INCLUDE is a syntax error (2.2, 3.0) or only kept for vector indexes (4.2)", releases=""
    )
    deferrable_fks = _no("There is no DEFERRABLE")
    repeated_column_foreign_keys = repeated_remote_col_foreign_keys = _no(
        "The servers report: foreign key … can not reference to itself"
    )
    computed_columns = computed_columns_stored = computed_columns_virtual = _from(Feature.GENERATED_COLUMN)
    computed_columns_reflect_persisted = _from(Feature.GENERATED_COLUMN)
    computed_columns_default_persisted = _no("A generated column is VIRTUAL by default", releases="4.2")
    identity_columns = identity_columns_standard = _no("There is no IDENTITY, only AUTO_INCREMENT")

    # Reflection
    reflect_tables_no_columns = _no("The server reports error 4028: a table must have at least one visible column")
    cross_schema_fk_reflection = foreign_key_constraint_name_reflection = _yes
    foreign_keys_reflect_as_index = _no("A foreign key does not create an index")
    unique_constraints_reflect_as_index = unique_index_reflect_as_unique_constraints = _yes
    indexes_check_column_order = _yes
    inline_check_constraint_reflection = check_constraint_reflection = _from(Feature.CHECK_CONSTRAINT)
    comment_reflection = comment_reflection_full_unicode = _yes
    constraint_comment_reflection = _no("COMMENT of a constraint is a syntax error")
    has_temp_table = _from(Feature.TEMPORARY_TABLE_IN_TRANSACTION)
    temp_table_reflection = temp_table_comment_reflection = _from(Feature.TEMPORARY_TABLE_INDEX)
    column_collation_reflection = _no("COLLATE is accepted and not kept")
    foreign_key_constraint_option_reflection_ondelete = _yes
    foreign_key_constraint_option_reflection_onupdate = _yes
    fk_constraint_option_reflection_ondelete_restrict = _no("RESTRICT is reported if nothing was declared")
    fk_constraint_option_reflection_onupdate_restrict = fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_ondelete_noaction = fk_constraint_option_reflection_ondelete_restrict
    reflect_table_options = _yes
    reflects_pk_names = _no("A primary key's name is not kept")
    temp_table_names = _no("SHOW TABLES leaves temporary tables out")

    # Statements
    insert_returning = insert_executemany_returning = _from(Feature.RETURNING)
    update_returning = delete_returning = _from(Feature.RETURNING)
    window_functions = window_range = window_range_numeric = _yes
    window_range_non_numeric = _no("RANGE BETWEEN only takes numbers")
    ctes = ctes_with_update_delete = ctes_on_dml = _yes
    ctes_with_values = _no("WITH x AS (VALUES …): unexpected statement")
    table_value_constructor = _yes
    intersect = except_ = _yes
    boolean_col_expressions = order_by_label_with_expression = mod_operator_as_percent_sign = _yes
    nullsordering = _no("NULLS FIRST is not supported in MySQL syntax", releases="4.2")
    tuple_in = _from(Feature.TUPLE_COMPARISON)
    update_from = delete_from = _yes
    regexp_match = regexp_replace = _yes
    aggregate_order_by = _yes
    supports_bitwise_or = supports_bitwise_and = supports_bitwise_xor = supports_bitwise_shift = _yes
    supports_bitwise_not = _no("~ returns an unsigned number, as in MySQL")
    supports_distinct_on = _no("DISTINCT ON is a syntax error")
    fetch_first = fetch_no_order_by = fetch_expression = _no("There is no FETCH FIRST, only LIMIT")
    fetch_percent = fetch_ties = fetch_offset_with_options = fetch_first
    dbapi_lastrowid = _yes
    server_defaults = expression_server_defaults = _yes

    # Types
    uuid_data_type = _yes
    nvarchar_types = _no("NCHAR and NVARCHAR are syntax errors; CHAR and VARCHAR hold all of Unicode")
    array_type = _no("There are no arrays")
    json_type = _yes
    legacy_unconditional_json_extract = _until(Feature.JSON_CAST_UNQUOTED)
    json_deserializer_binary = _no("The drivers return JSON as text, not as bytes", releases="")
    datetime_interval = _no("There is no type for an interval")
    datetime_literals = _no(
        "There are no typed literals such as DATE '2020-01-01' in SQLAlchemy's MySQL dialects", releases=""
    )
    datetime_historic = date_historic = _yes
    datetime_timezone = datetime_timezone_historic = time_timezone = _no("WITH TIME ZONE is a syntax error")
    # With a type that stores them: see tests/suite/test_suite.py.
    datetime_microseconds = time_microseconds = timestamp_microseconds = _yes
    date_implicit_bound = time_implicit_bound = datetime_implicit_bound = _no(
        "SELECT of a bound value returns it as text: the drivers write parameters into the statement", releases=""
    )
    timestamp_microseconds_implicit_bound = date_implicit_bound
    precision_numerics_enotation_small = precision_numerics_many_significant_digits = _yes
    precision_numerics_retains_significant_digits = _yes
    cast_precision_numerics_many_significant_digits = _no("The numbers in JSON are 64-bit floats")
    precision_generic_float_type = _no("FLOAT has 24 bits of precision; use DOUBLE")
    float_or_double_precision_behaves_generically = _yes
    infinity_floats = _no("The drivers refuse to write infinity", releases="")

    # Connections and transactions
    autocommit = isolation_level = _yes
    skip_autocommit_rollback = _yes
    savepoints = _no("SAVEPOINT is accepted, but does nothing; writes before it and in it cannot be distinguished")
    two_phase_transactions = _no("XA is a syntax error")

    def get_order_by_collation(self, config: Any) -> str:
        return "utf8mb4_bin"

    def get_isolation_levels(self, config: Any) -> dict[str, Any]:
        supported = config.db.dialect.get_isolation_level_values(None)
        return {"default": "READ COMMITTED", "supported": supported}
