"""The scripts that also run in SageMaker's XGBoost container; they import nothing of nextbasket."""
