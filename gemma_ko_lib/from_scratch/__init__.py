"""The models that a learner builds, each exported from the notebook that teaches it.

"""
