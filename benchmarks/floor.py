"""The floor: the work of the pipeline as one plain script, with no pipeline, tracker, plots or environments.

    python benchmarks/floor.py

Same data, same split, the same eight models with the parameters of params.yaml, the same selection, one test.
It prints the selected model's metrics, so that its speed can't be bought with quality.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
split, classifiers, training = params["split"], params["classifiers"], params["training"]

X, y = load_breast_cancer(return_X_y=True)
seeds = {"random_state": split["seed"]}
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=split["test"], stratify=y, **seeds)
validation = split["validation"] / (1 - split["test"])
X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, test_size=validation, stratify=y_rest, **seeds)
scaler = StandardScaler().fit(X_train)
X_train, X_val, X_test = (scaler.transform(part).astype("float32") for part in (X_train, X_val, X_test))

seed = {"random_state": classifiers["seed"]}
models = {
    "logistic_regression": LogisticRegression(**classifiers["logistic_regression"], max_iter=1000),
    "naive_bayes": GaussianNB(**classifiers["naive_bayes"]),
    "k_nearest_neighbours": KNeighborsClassifier(**classifiers["k_nearest_neighbours"]),
    "support_vector_machine": CalibratedClassifierCV(SVC(**classifiers["support_vector_machine"]), ensemble=False),
    "decision_tree": DecisionTreeClassifier(**classifiers["decision_tree"], **seed),
    "random_forest": RandomForestClassifier(**classifiers["random_forest"], **seed),
    "gradient_boosting": HistGradientBoostingClassifier(
        max_iter=classifiers["gradient_boosting"]["n_estimators"],
        learning_rate=classifiers["gradient_boosting"]["learning_rate"],
        early_stopping=False,
        **seed,
    ),
}
losses = {}
for name, model in models.items():
    model.fit(X_train, y_train)
    losses[name] = log_loss(y_val, model.predict_proba(X_val))

torch.manual_seed(training["seed"])
torch.set_num_threads(1)
sizes = [X_train.shape[1], *training["hidden_layers"]]
layers: list[torch.nn.Module] = []
for inputs, outputs in pairwise(sizes):
    layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(training["dropout"])]
network = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 2))
optimizer = torch.optim.Adam(network.parameters(), lr=training["lr"], weight_decay=training["weight_decay"])
loss_of = torch.nn.CrossEntropyLoss()
rows, labels = torch.from_numpy(X_train), torch.from_numpy(y_train)
val_rows, val_labels = torch.from_numpy(X_val), torch.from_numpy(y_val)
best, best_state = float("inf"), {}
for _ in range(training["epochs"]):
    network.train()
    for batch in torch.split(torch.randperm(len(rows)), training["batch_size"]):
        optimizer.zero_grad()
        loss_of(network(rows[batch]), labels[batch]).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        loss = loss_of(network(val_rows), val_labels).item()
        loss_of(network(rows), labels).item()  # the history's other half
    if loss < best:
        best, best_state = loss, {key: value.clone() for key, value in network.state_dict().items()}
network.load_state_dict(best_state)
losses["densenet"] = best

selected = min(losses, key=lambda name: losses[name])
if selected == "densenet":
    with torch.no_grad():
        probabilities = torch.softmax(network(torch.from_numpy(X_test)), dim=1).numpy()
else:
    probabilities = models[selected].predict_proba(X_test)
quality = {
    "selected": selected,
    "validation_log_loss": losses[selected],
    "test_accuracy": accuracy_score(y_test, np.argmax(probabilities, axis=1)),
    "test_log_loss": log_loss(y_test, probabilities),
}
print(json.dumps(quality))
