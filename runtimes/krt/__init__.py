"""A registered model as a .krt, the archive of Konstellation's runtime engine (KRE v2), and as a KAI product."""
