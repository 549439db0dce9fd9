"""Arrow arrays of any type as the columns that tables have: types, casts, JSON texts, pages."""
