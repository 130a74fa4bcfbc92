//! What callers say and hear: parsed requests, problems, answers in OpenAI's shape. Knows neither HTTP nor llama.cpp.

pub(crate) mod answer;
pub(crate) mod chat;
pub(crate) mod completion;
pub(crate) mod embedding;
mod fields;
mod generation;
mod problem;
pub(crate) mod tools;

pub(crate) use fields::Fields;
pub(crate) use generation::Generation;
pub(crate) use problem::Problem;
